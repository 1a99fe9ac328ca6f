"""
OTLP requests, decoded into plain data.

Source: opentelemetry-proto 1.x, `opentelemetry/proto/{trace,logs,metrics,common}/v1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._traces.otlp_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.proto.common.v1 import common_pb2
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1 import metrics_pb2

PROTOBUF, JSON = MEDIA_TYPES = ("application/x-protobuf", "application/json")

Attributes: TypeAlias = "Mapping[str, object]"

_TEMPORALITIES = {1: "DELTA", 2: "CUMULATIVE"}  # AggregationTemporality in metrics.proto


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event on a span, such as a recorded exception."""

    name: str
    time_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class ReceivedLink:
    """A link from a span to another, by hexadecimal ids."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """
    A span as it was exported.

    Attributes:
        parent_id: `""` for a root span; ids are hexadecimal.
        kind: `INTERNAL`, `SERVER`, `CLIENT`, `PRODUCER`, `CONSUMER` or `UNSPECIFIED`.
        status: `UNSET`, `OK` or `ERROR`.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status: str
    status_message: str
    attributes: Attributes
    events: tuple[ReceivedEvent, ...]
    links: tuple[ReceivedLink, ...]
    trace_state: str
    scope: str
    resource: Attributes


@dataclass(frozen=True, slots=True)
class ReceivedLog:
    """A log record as it was exported; ids are hexadecimal, `""` where there are none."""

    trace_id: str
    span_id: str
    time_ns: int
    severity: str
    severity_number: int
    body: object
    event_name: str
    attributes: Attributes
    scope: str
    resource: Attributes


@dataclass(frozen=True, slots=True)
class ReceivedPoint:
    """One data point of a metric: a number, or for histograms the sum and count."""

    attributes: Attributes
    value: float
    count: int


@dataclass(frozen=True, slots=True)
class ReceivedMetric:
    """
    A metric as it was exported.

    Attributes:
        kind: `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`.
        temporality: `CUMULATIVE` or `DELTA`, `""` for a kind that has none.
    """

    name: str
    unit: str
    kind: str
    points: tuple[ReceivedPoint, ...]
    scope: str
    resource: Attributes
    temporality: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """The telemetry of one export request."""

    spans: tuple[ReceivedSpan, ...] = ()
    logs: tuple[ReceivedLog, ...] = ()
    metrics: tuple[ReceivedMetric, ...] = ()


class _Signal(NamedTuple):
    """
    How the request of one signal is decoded.

    Attributes:
        name: As `resource_{name}` and `scope_{name}` are called in it, and the field of a batch.
        items: The field of a scope with its items.
        read: Reads an item, given its scope's name and its resource's attributes.
    """

    request: type[Message]
    name: str
    items: str
    read: Callable[[Any, str, Attributes], Any]  # each reads a message of its own

    def decode(self, body: bytes, media_type: str) -> Batch:
        request = self.request()
        if media_type == JSON:
            parse_json(body, request)
        else:
            request.ParseFromString(body)
        items = [
            self.read(item, scope.scope.name, attributes)
            for resource in getattr(request, f"resource_{self.name}")
            for attributes in [_attributes(resource.resource.attributes)]
            for scope in getattr(resource, f"scope_{self.name}")
            for item in getattr(scope, self.items)
        ]
        return Batch(**{self.name: tuple(items)})


def _span(span: trace_pb2.Span, scope: str, resource: Attributes) -> ReceivedSpan:
    return ReceivedSpan(
        trace_id=_id(span.trace_id),
        span_id=_id(span.span_id),
        parent_id=_id(span.parent_span_id),
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        status_message=span.status.message,
        attributes=_attributes(span.attributes),
        events=tuple(
            ReceivedEvent(e.name, e.time_unix_nano, _attributes(e.attributes)) for e in span.events
        ),
        links=tuple(
            ReceivedLink(_id(link.trace_id), _id(link.span_id), _attributes(link.attributes))
            for link in span.links
        ),
        trace_state=span.trace_state,
        scope=scope,
        resource=resource,
    )


def _log(record: LogRecord, scope: str, resource: Attributes) -> ReceivedLog:
    return ReceivedLog(
        trace_id=_id(record.trace_id),
        span_id=_id(record.span_id),
        time_ns=record.time_unix_nano or record.observed_time_unix_nano,
        severity=record.severity_text,
        severity_number=record.severity_number,
        body=_value(record.body),
        event_name=record.event_name,
        attributes=_attributes(record.attributes),
        scope=scope,
        resource=resource,
    )


def _metric(metric: metrics_pb2.Metric, scope: str, resource: Attributes) -> ReceivedMetric:
    return ReceivedMetric(
        name=metric.name,
        unit=metric.unit,
        kind=metric.WhichOneof("data") or "",
        points=tuple(_points(metric)),
        scope=scope,
        resource=resource,
        temporality=_temporality(metric),
    )


def _temporality(metric: metrics_pb2.Metric) -> str:
    data = getattr(metric, metric.WhichOneof("data") or "gauge")
    return _TEMPORALITIES.get(getattr(data, "aggregation_temporality", 0), "")


def _points(metric: metrics_pb2.Metric) -> Iterable[ReceivedPoint]:
    for number in (*metric.gauge.data_points, *metric.sum.data_points):
        value = number.as_int if number.WhichOneof("value") == "as_int" else number.as_double
        yield ReceivedPoint(_attributes(number.attributes), float(value), 1)
    for kind in (metric.histogram, metric.exponential_histogram, metric.summary):
        for point in kind.data_points:
            yield ReceivedPoint(_attributes(point.attributes), point.sum, point.count)


def _id(value: bytes) -> str:
    """Return an id's hexadecimal digits; all zeros mean none, as sending nothing does."""
    return value.hex() if any(value) else ""


def _attributes(pairs: Iterable[common_pb2.KeyValue]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: common_pb2.AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    plain: object = getattr(value, kind)
    return plain


# By the paths of https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
_SIGNALS: Mapping[str, _Signal] = {
    "/v1/traces": _Signal(ExportTraceServiceRequest, "spans", "spans", _span),
    "/v1/logs": _Signal(ExportLogsServiceRequest, "logs", "log_records", _log),
    "/v1/metrics": _Signal(ExportMetricsServiceRequest, "metrics", "metrics", _metric),
}
PATHS = frozenset(_SIGNALS)


def decode(path: str, body: bytes, media_type: str = PROTOBUF) -> Batch:
    """
    Decode the body of an export request to one of `PATHS`, in protobuf or in JSON.

    Raises:
        HostError: The body is not what belongs to the path.
    """
    try:
        return _SIGNALS[path].decode(body, media_type)
    except (DecodeError, ValueError) as error:
        raise HostError(f"body of {path} is not the OTLP protobuf message: {error}") from error
