"""
Durable Functions: activities have a span, orchestrators and entities none.

The host has spans of its own for orchestrations and entities, and an orchestrator runs again for
each step of its history: azure-functions-durable 2.x passes contexts on and records nothing
(durabletask-python#179).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from funcscope.telemetry._names import TASK_ID, TASK_INSTANCE, TASK_NAME
from funcscope.telemetry.triggers._family import Family
from funcscope.telemetry.triggers._field import Field

if TYPE_CHECKING:
    from funcscope.extensions import Invocation


def _tag(name: str) -> Field[Invocation]:
    def read_tag(invocation: Invocation) -> object:
        sent = invocation.trace_context
        return None if sent is None else sent.attributes.get(name)

    return Field(name, "the tag of the same name of the host's activity", read_tag)


ACTIVITY = Family(
    title="Durable activity",
    types=("activityTrigger",),
    faas_trigger="other",
    kind=SpanKind.INTERNAL,
    invocation=(_tag(TASK_NAME), _tag(TASK_INSTANCE), _tag(TASK_ID)),
)

ORCHESTRATION = Family(
    title="Durable orchestrator and entity",
    types=("orchestrationTrigger", "entityTrigger"),
    faas_trigger="other",
    kind=SpanKind.INTERNAL,
    is_recorded=False,
)
