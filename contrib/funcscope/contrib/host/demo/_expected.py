"""Requests of the demo to the sample app, and the telemetry that has to arrive for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from funcscope.telemetry.integration import INVOCATION_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from funcscope.contrib.host._traces.otlp import ReceivedLog, ReceivedSpan
    from funcscope.contrib.host._traces.store import TelemetryStore
    from funcscope.contrib.host._traces.traces import HostRequest


@dataclass(frozen=True, slots=True)
class Step:
    """
    One request of the demo, with its expected answer and telemetry.

    Attributes:
        title: The request's name at the host.
        path: Where to send it.
        body: Sent as a POST if not None.
        status: The status that must be answered.
        is_error: Whether the invocation's span must have the status ERROR.
        logs: Texts of log records that must carry the invocation's id and trace.
        children: Names of spans that must hang from the invocation's.
    """

    title: str
    path: str
    status: int
    body: str | None = None
    is_error: bool = False
    logs: tuple[str, ...] = ()
    children: tuple[str, ...] = ()


STEPS = (
    Step("GET /api/products/tea", "/api/products/tea", 200, logs=("looking up tea",)),
    Step("GET /api/prices/tea", "/api/prices/tea", 200, logs=("asking for the price of tea",)),
    Step(
        "POST /api/pay",
        "/api/pay",
        500,
        body='{"card": "visa"}',
        is_error=True,
        logs=("charging visa",),
    ),
    Step(
        "GET /api/availability/tea",
        "/api/availability/tea",
        200,
        logs=(
            "audit: asked for tea",
            "supplier north answers",
            "supplier south answers",
        ),
    ),
    Step(
        "GET /api/recommendations/tea",
        "/api/recommendations/tea",
        200,
        logs=("recommend took",),
        children=("load-model", "rank"),
    ),
    Step(
        "queueTrigger order",
        "/admin/functions/order",
        202,
        body='{"input": "{\\"id\\": 42}"}',
        logs=("order 42, attempt 1",),
    ),
)


def missing(
    steps: Iterable[Step], requests: Sequence[HostRequest], store: TelemetryStore
) -> list[str]:
    """Name each thing that has not arrived, or is not where it belongs."""
    by_title = {request.title: request for request in requests}
    problems: list[str] = []
    for step in steps:
        request = by_title.get(step.title)
        gaps = ["invocation"] if request is None else _missing(step, request, store)
        problems.extend(f"{step.title}: {problem}" for problem in gaps)
    return problems


def _missing(step: Step, request: HostRequest, store: TelemetryStore) -> Iterator[str]:
    spans = store.spans
    span = next((span for span in spans if _belongs(span, request)), None)
    if span is None:
        yield "its span"
        return
    if span.parent_id != request.span_id:
        yield f"the host's span as the parent of {span.name!r}"
    if step.is_error != (span.status == "ERROR"):
        yield f"the right status on {span.name!r}, which has {span.status}"
    children = {s.name for s in spans if s.parent_id == span.span_id}
    yield from (f"span {name!r}" for name in step.children if name not in children)
    bodies = [str(log.body) for log in store.logs if _belongs(log, request)]
    yield from (f"log line {text!r}" for text in step.logs if not any(text in b for b in bodies))


def _belongs(item: ReceivedSpan | ReceivedLog, request: HostRequest) -> bool:
    is_same_trace = item.trace_id == request.trace_id
    return is_same_trace and item.attributes.get(INVOCATION_ID) == request.invocation_id
