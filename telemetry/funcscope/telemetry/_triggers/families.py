"""The tables of all triggers but HTTP's; loaded where an app has another trigger than HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.telemetry._triggers.links import MAX_LINKS
from funcscope.telemetry._triggers.messaging import MESSAGES
from funcscope.telemetry._triggers.other import OTHER, OTHERS
from funcscope.telemetry._triggers.table import TableExtractor, TriggerBinding, TriggerTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.extensions import Binding, Function

TABLES: tuple[TriggerTable, ...] = (*MESSAGES, *OTHERS, OTHER)
"""All but HTTP's, in the reference's order."""

_BY_TYPE = {kind.lower(): table for table in TABLES for kind in table.types}


def table_extractor(
    function: Function, trigger: Binding, environ: Mapping[str, str], max_links: int | None
) -> TableExtractor:
    """Make what reads another trigger than HTTP's: see `extractor_for`."""
    table = _BY_TYPE.get(trigger.type.lower(), OTHER)
    binding = TriggerBinding(function, trigger, environ)
    return TableExtractor(table, binding, MAX_LINKS if max_links is None else max_links)
