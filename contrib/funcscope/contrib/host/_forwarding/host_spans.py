"""
The host's own spans: one for each request, the parent of its function's.

Attributes are those of semantic conventions 1.44 for HTTP servers and FaaS; kinds are what Azure's
host has (SERVER for HTTP, CONSUMER for messages).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from funcscope.contrib.host._traces.traces import own_span
from funcscope.telemetry.integration import INVOCATION_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from funcscope.contrib.host._traces.traces import HostRequest, Trace

SCOPE: Final = "funcscope.contrib.host"

_HTTP: Final = "httptrigger"
_CONSUMERS: Final = frozenset(
    {
        "blobtrigger", "cosmosdbtrigger", "eventgridtrigger", "eventhubtrigger", "kafkatrigger",
        "queuetrigger", "rabbitmqtrigger", "servicebustrigger",
    }
)  # fmt: skip
_SAMPLED: Final = 1
_OF_THE_PROCESS: Final = ("telemetry.sdk.", "process.")


def encode_roots(trace: Trace) -> bytes:
    """Encode the spans of a trace's requests that have ended and are sampled, `b""` for none."""
    ended = [r for r in trace.requests.values() if r.result is not None and r.is_sampled]
    spans = [_span(request, trace) for request in ended]
    if not spans:
        return b""
    scope = ScopeSpans(scope=InstrumentationScope(name=SCOPE), spans=spans)
    resource = Resource(attributes=_pairs(_resource(trace)))
    request = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope])]
    )
    return request.SerializeToString()


def _span(request: HostRequest, trace: Trace) -> Span:
    own = own_span(request, trace)
    end_ns = request.started_ns + int(request.duration_s * 1e9)
    return Span(
        trace_id=bytes.fromhex(request.trace_id),
        span_id=bytes.fromhex(request.span_id),
        parent_span_id=bytes.fromhex(request.parent_id),
        trace_state=request.trace_state,
        flags=_SAMPLED,
        name=own.name if own is not None else request.title,
        kind=_kind(request.trigger),
        start_time_unix_nano=request.started_ns,
        end_time_unix_nano=end_ns,
        attributes=_pairs(_attributes(request)),
        status=_status(request),
    )


def _kind(trigger: str) -> Span.SpanKind.ValueType:
    lowered = trigger.lower()
    if lowered == _HTTP:
        return Span.SPAN_KIND_SERVER
    return Span.SPAN_KIND_CONSUMER if lowered in _CONSUMERS else Span.SPAN_KIND_INTERNAL


def _attributes(request: HostRequest) -> dict[str, object]:
    attributes: dict[str, object] = {
        "faas.name": request.function,
        INVOCATION_ID: request.invocation_id,
    }
    if request.trigger.lower() == _HTTP:
        method, _, path = request.title.partition(" ")
        attributes |= {"http.request.method": method, "url.path": path}
        if request.result is not None and request.result.isdecimal():
            attributes["http.response.status_code"] = int(request.result)
    if not request.is_ok:
        attributes["error.type"] = _error_type(request)
    return attributes


def _error_type(request: HostRequest) -> str:
    kind = request.error.partition(":")[0].strip()
    return kind if kind.isidentifier() else request.result or "error"


def _status(request: HostRequest) -> Status:
    if request.is_ok:
        return Status()
    message = (request.problem or request.error).partition("\n")[0]
    return Status(code=Status.STATUS_CODE_ERROR, message=message)


def _resource(trace: Trace) -> Mapping[str, object]:
    """Return what the app says of itself, without what is of its process: it is the same app."""
    owns = (own_span(request, trace) for request in trace.requests.values())
    resource = next(filter(None, owns), trace.spans[0]).resource
    return {k: v for k, v in resource.items() if not k.startswith(_OF_THE_PROCESS)}


def _pairs(values: Mapping[str, object]) -> Iterable[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in values.items()]


def _value(value: object) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(string_value=str(value))
