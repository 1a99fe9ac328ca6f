"""
What an app exports, as text that can be compared byte for byte.

Whatever field of OTLP is set is kept, without a list of them: messages are walked by their
descriptors. What differs from run to run is replaced by what it stands for: ids by the span
that they name, times and measurements by a mark, frames of libraries by the library's name.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.integration.golden_text import stable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tests.integration.faults import Request

Json = dict[str, Any]

_ID = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{16}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
_OWN_IDS = ("trace_id", "span_id", "parent_span_id")
_OF_THE_APP = ("shop",)  # scopes whose versions are no library's
_MEASURED = ("s", "ms", "By")  # units of what a machine takes
_MEASUREMENTS = ("sum", "min", "max", "bucket_counts", "as_int", "as_double")
_KINDS = ("spans", "log_records", "metrics")
_NOW = "faas.time"  # when a timer's function was called
_DELIVERY = "funcscope.export."  # metrics of what was sent until they were sent themselves

REQUESTS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}


class Item(NamedTuple):
    """A span, a log record or a metric, with where it came from."""

    resource: Json
    scope: Json
    said: Json


def received(requests: Iterable[Request]) -> list[Json]:
    """Decode what came, with the official classes: the receiver's own leaves fields out."""
    return [plain(REQUESTS[request.path].FromString(request.body)) for request in requests]


def plain(message: Any) -> Any:
    """Return a protobuf message as JSON: all fields that are set, enumerators by their names."""
    kind = message.DESCRIPTOR.name
    if kind == "AnyValue":
        one = message.WhichOneof("value")
        return None if one is None else _field(None, getattr(message, one))
    if kind == "ArrayValue":
        return [plain(value) for value in message.values]
    if kind == "KeyValueList":
        return _pairs(message.values)
    return {field.name: _field(field, value) for field, value in message.ListFields()}


def _field(field: Any, value: Any) -> Any:
    """Return a field's value; bytes, which are ids nearly always, in hexadecimal."""
    if hasattr(value, "DESCRIPTOR"):
        return plain(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Sequence) and not isinstance(value, str):
        is_pairs = field.message_type and field.message_type.name == "KeyValue"
        return _pairs(value) if is_pairs else [_field(field, item) for item in value]
    if field is not None and field.enum_type:
        return field.enum_type.values_by_number[value].name
    return value


def _pairs(items: Iterable[Any]) -> Json:
    """Return attributes by name; one that comes twice is told apart."""
    found: Json = {}
    for item in items:
        found[f"{item.key} (again)" if item.key in found else item.key] = plain(item.value)
    return found


class Export:
    """
    What an app exported, in a form that is the same whenever it exports the same.

    Args:
        requests: What `received` returned.
        app: The app's folder.
        port: Where the collector listened.
        names: What to call ids that differ from run to run, beside those of received spans.
    """

    def __init__(
        self, requests: list[Json], *, app: Path, port: int, names: Mapping[str, str]
    ) -> None:
        self._requests, self._app, self._port = requests, app, port
        self._names = dict(names)
        self._spans = self._in_order(list(self._items("spans")))
        self._names |= self._labels()

    def told(self) -> Json:
        """Return resources, scopes, spans, log records and metrics, each in a fixed order."""
        scoped = [(kind, item) for kind in _KINDS for item in self._items(kind)]
        return {
            "resources": _distinct(self.stable(item.resource) for _, item in scoped),
            "scopes": _distinct(self.stable({"of": kind, **item.scope}) for kind, item in scoped),
            "spans": [self._told(item) for item in self._spans],
            "log_records": sorted(map(self._told, self._items("log_records")), key=_log_order),
            "metrics": self._metrics(),
        }

    def stable(self, value: Any, name: str = "") -> Any:
        """Return JSON without what differs from run to run; `name` is that of its field."""
        if isinstance(value, dict):
            return {key: self.stable(value[key], key) for key in sorted(value)}
        if isinstance(value, list):
            return [self.stable(item) for item in value]
        if name.endswith("time_unix_nano") or name == _NOW:
            return "<time>"
        if name == "telemetry.sdk.version":
            return "<version>"
        if isinstance(value, str):
            return _lines(stable(_ID.sub(self._named, value), self._app))
        return "<port>" if type(value) is int and value == self._port else value

    def _named(self, id_: re.Match[str]) -> str:
        return self._names.get(id_[0], id_[0])

    def _items(self, kind: str) -> Iterator[Item]:
        """List what arrived of a kind, by its field's name, with where it came from."""
        for request in self._requests:
            for resource in next(iter(request.values()), []):
                for scope in next(v for k, v in resource.items() if k.startswith("scope_")):
                    where = dict(scope["scope"])
                    if "version" in where and where["name"] not in _OF_THE_APP:
                        where["version"] = "<version>"
                    if "schema_url" in scope:
                        where["schema_url"] = scope["schema_url"]
                    for item in scope.get(kind, []):
                        yield Item(resource["resource"], where, item)

    def _in_order(self, spans: list[Item]) -> list[Item]:
        """Sort spans by their ancestors and by what they say, and by time where that is equal."""
        by_id = {span.said["span_id"]: span for span in spans}

        def key(span: Item) -> tuple[str, ...]:
            parent = by_id.get(span.said.get("parent_span_id", ""))
            said = {k: v for k, v in span.said.items() if k not in _OWN_IDS}
            invocation = said.get("attributes", {}).get("faas.invocation_id", "")
            text = json.dumps(self.stable({"": invocation, **said}))
            return (*(key(parent) if parent else ()), self._names.get(invocation, ""), text)

        return sorted(spans, key=lambda span: (key(span), span.said["start_time_unix_nano"]))

    def _labels(self) -> dict[str, str]:
        """Name spans by their places and their names, and traces that began in the app."""
        labels: dict[str, str] = {}
        ids = {span.said["span_id"] for span in self._spans}
        began_outside = {
            span.said["trace_id"]
            for span in self._spans
            if span.said.get("parent_span_id") not in (None, *ids)
        }
        for number, span in enumerate(self._spans, 1):
            labels[span.said["span_id"]] = f"{number} {span.said['name']}"
            if span.said["trace_id"] not in began_outside:
                labels.setdefault(span.said["trace_id"], f"trace of {number}")
        return labels

    def _told(self, item: Item) -> Json:
        told: Json = self.stable({"scope": item.scope.get("name", ""), **item.said})
        return told

    def _metrics(self) -> list[Json]:
        """Merge what was exported again and again: the newest of each point is told."""
        metrics: dict[str, Json] = {}
        points: defaultdict[str, dict[str, Json]] = defaultdict(dict)
        for item in self._items("metrics"):
            said = dict(item.said)
            kind = next(key for key, value in said.items() if isinstance(value, dict))
            data = dict(said.pop(kind))
            for point in data.pop("data_points", []):
                head = self.stable({"scope": item.scope["name"], "kind": kind, **said, **data})
                name = json.dumps(head, sort_keys=True)
                where = json.dumps(self.stable(point.get("attributes", {})))
                metrics[name] = head
                kept = points[name].setdefault(where, point)
                points[name][where] = max(kept, point, key=lambda one: one["time_unix_nano"])
        return [
            self._metric(metrics[name], [points[name][where] for where in sorted(points[name])])
            for name in sorted(metrics)
        ]

    def _metric(self, metric: Json, points: list[Json]) -> Json:
        """Leave of what measures a run how often it was measured; exemplars are picked by time."""
        is_measured = metric.get("unit") in _MEASURED or metric["name"].startswith(_DELIVERY)
        left_out = {"exemplars", *(_MEASUREMENTS if is_measured else ())}
        told = [
            {name: said for name, said in self.stable(point).items() if name not in left_out}
            for point in points
        ]
        return {**metric, **_shared(told), "points": told}


def _shared(points: list[Json]) -> Json:
    """Take what all points of a metric say alike out of them: bounds of buckets, and times."""
    shared: Json = {}
    for name in ("explicit_bounds", "start_time_unix_nano", "time_unix_nano"):
        told = [point.get(name) for point in points]
        if told and told[0] is not None and told.count(told[0]) == len(told):
            is_list = isinstance(told[0], list)
            shared[name] = " ".join(map(str, told[0])) if is_list else told[0]
            for point in points:
                del point[name]
    return shared


def _distinct(items: Iterable[Json]) -> list[Json]:
    found = {json.dumps(item, sort_keys=True): item for item in items}
    return [found[text] for text in sorted(found)]


def _log_order(record: Json) -> tuple[str, str]:
    invocation = str(record.get("attributes", {}).get("faas.invocation_id", ""))
    return invocation, json.dumps(record, sort_keys=True)


def _lines(text: str) -> object:
    """Show a text of several lines line by line."""
    return {"lines": text.split("\n")} if "\n" in text else text
