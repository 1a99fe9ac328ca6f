"""Which family a trigger belongs to; loaded where an app has another trigger than HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.telemetry._triggers import messaging as _messaging
from funcscope.telemetry._triggers import other as _other
from funcscope.telemetry._triggers.links import MAX_LINKS
from funcscope.telemetry._triggers.table import Declared, Family, describe_family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.extensions import Binding, Function
    from funcscope.telemetry._triggers.extractor import Description

FAMILIES: tuple[Family, ...] = (
    _other.TIMER,
    _messaging.QUEUE,
    _messaging.SERVICE_BUS,
    _messaging.EVENT_HUB,
    _messaging.EVENT_GRID,
    _messaging.KAFKA,
    _other.BLOB,
    _other.COSMOS,
    _other.SQL,
    _other.MYSQL,
    _other.ACTIVITY,
    _other.ENTITY,
    _other.ORCHESTRATION,
    _other.TOOL,
    _other.RESOURCE,
    _other.PROMPT,
    _other.HUBS,
    _other.DAPR_TOPIC,
    _other.WARMUP,
    _other.OTHER,
)
"""All but HTTP, in the reference's order."""

_BY_TYPE = {kind.lower(): family for family in FAMILIES for kind in family.types}


def describe(
    function: Function,
    trigger: Binding,
    environ: Mapping[str, str],
    max_links: int | None,
) -> Description:
    """
    Describe the invocations of a function that is not started by HTTP.

    Args:
        function: The function.
        trigger: Its trigger.
        environ: App settings, for names such as `%QUEUE%`.
        max_links: How many links a span has at most; None for OpenTelemetry's own limit.
    """
    family = _BY_TYPE.get(trigger.type.lower(), _other.OTHER)
    most = MAX_LINKS if max_links is None else max_links
    return describe_family(family, Declared(function, trigger, environ), max_links=most)
