"""Which family a trigger belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from funcscope.telemetry._headers import NO_HEADERS, Headers
from funcscope.telemetry.triggers import (
    _documents,
    _durable,
    _event_grid,
    _event_hub,
    _http,
    _kafka,
    _mcp,
    _other,
    _queue,
    _service_bus,
    _timer,
)
from funcscope.telemetry.triggers._description import Description
from funcscope.telemetry.triggers._family import Declared, Family, describe_family
from funcscope.telemetry.triggers._links import MAX_LINKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.extensions import Function

FAMILIES: tuple[Family, ...] = (
    _timer.TIMER,
    _queue.QUEUE,
    _service_bus.SERVICE_BUS,
    _event_hub.EVENT_HUB,
    _event_grid.EVENT_GRID,
    _kafka.KAFKA,
    _documents.BLOB,
    _documents.COSMOS,
    _documents.SQL,
    _documents.MYSQL,
    _durable.ACTIVITY,
    _durable.ENTITY,
    _durable.ORCHESTRATION,
    _mcp.TOOL,
    _mcp.RESOURCE,
    _mcp.PROMPT,
    _other.HUBS,
    _other.DAPR_TOPIC,
    _other.WARMUP,
    _other.OTHER,
)
"""All but HTTP, in the reference's order."""

_BY_TYPE = {kind.lower(): family for family in FAMILIES for kind in family.types}


def describe(
    function: Function,
    *,
    route_prefix: str,
    environ: Mapping[str, str],
    max_links: int = MAX_LINKS,
    headers: Headers = NO_HEADERS,
) -> Description:
    """
    Choose how to describe a function's invocations.

    Args:
        function: The function, with its bindings.
        route_prefix: host.json's `extensions.http.routePrefix`.
        environ: App settings, for names such as `%QUEUE%`.
        max_links: How many links a span has at most.
        headers: Which headers of requests and responses are recorded.
    """
    trigger = function.trigger
    if trigger is None:
        return Description(SpanKind.SERVER, {"faas.trigger": "other"}, lambda _: function.name)
    if trigger.type.lower() == "httptrigger":
        return _http.describe(function, trigger, route_prefix, headers)
    family = _BY_TYPE.get(trigger.type.lower(), _other.OTHER)
    return describe_family(family, Declared(function, trigger, environ), max_links=max_links)
