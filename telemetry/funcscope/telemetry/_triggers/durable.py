"""
Durable Functions: activities and entities have a span, orchestrators none.

An orchestrator runs again for each step of its history, and the host has a span of its own for
the orchestration: azure-functions-durable 2.x passes contexts on and records nothing
(durabletask-python#179). What the payloads say, `funcscope.contrib.durable` adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from funcscope.extensions.integration import trigger_metadata
from funcscope.telemetry._semconv import TASK_ID, TASK_INSTANCE, TASK_NAME
from funcscope.telemetry._triggers.fields import Field
from funcscope.telemetry._triggers.table import Declared, Family

if TYPE_CHECKING:
    from funcscope.extensions import Invocation

OUT_OF_PROC = "$OutOfProcData$:"
"""What stands before the state in an orchestrator's exception, in the host's format
(`TaskOrchestrationExecutor.py`, azure-functions-durable 1.7.0)."""


def _tag(name: str) -> Field[Invocation]:
    def read_tag(invocation: Invocation) -> object:
        sent = invocation.trace_context
        return None if sent is None else sent.attributes.get(name)

    return Field(name, "the tag of the same name of the host's activity", read_tag)


def _called(setting: str) -> Field[Declared]:
    """Name a task as the host's extension does (`ActivityTriggerAttributeBindingProvider.cs`)."""
    return Field(
        TASK_NAME,
        f"binding: `{setting}`, else the function's name",
        lambda declared: declared.setting(setting) or declared.function.name,
    )


_INSTANCE: Field[Invocation] = Field(
    TASK_INSTANCE,
    "trigger metadata: `instanceId`; else the tag of the same name of the host's activity",
    lambda invocation: (
        trigger_metadata(invocation.context, "instanceId") or _tag(TASK_INSTANCE).read(invocation)
    ),
)


def orchestrators_own(error: BaseException) -> BaseException:
    """Return what an orchestrator raised, of which the SDK makes one for the host."""
    if error.__cause__ is not None and OUT_OF_PROC in str(error):
        return error.__cause__
    return error


ACTIVITY = Family(
    title="Durable activity",
    types=("activityTrigger",),
    faas_trigger="other",
    kind=SpanKind.INTERNAL,
    constants=(_called("activity"),),
    invocation=(_tag(TASK_NAME), _INSTANCE, _tag(TASK_ID)),
)

ENTITY = Family(
    title="Durable entity",
    types=("entityTrigger",),
    faas_trigger="other",
    kind=SpanKind.INTERNAL,
    constants=(_called("entityName"),),
    invocation=(_tag(TASK_NAME), _tag(TASK_INSTANCE), _tag(TASK_ID)),
)

ORCHESTRATION = Family(
    title="Durable orchestrator",
    types=("orchestrationTrigger",),
    faas_trigger="other",
    kind=SpanKind.INTERNAL,
    is_recorded=False,
    raised=orchestrators_own,
)
