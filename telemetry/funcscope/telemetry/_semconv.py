"""Attributes, and names that several rooms say; a table has those that no convention has."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Attributes: TypeAlias = dict[str, "str | bool | int | float | tuple[str, ...]"]
"""What is said of a span, by name."""

PAST_DUE = "azure.functions.timer.past_due"
TIMER_LAST = "azure.functions.timer.last"
TIMER_NEXT = "azure.functions.timer.next"
DEQUEUE_COUNT = "azure.functions.queue.dequeue_count"
DOCUMENT_COUNT = "azure.functions.document_count"
BLOB_SIZE = "azure.functions.blob.size"
EVENT_TYPE = "azure.functions.eventgrid.event_type"
EVENT_SUBJECT = "azure.functions.eventgrid.subject"
HUB = "azure.functions.hub.name"
HUB_CATEGORY = "azure.functions.hub.category"
HUB_EVENT = "azure.functions.hub.event"
TASK_NAME = "durabletask.task.name"
TASK_INSTANCE = "durabletask.task.instance_id"
TASK_ID = "durabletask.task.task_id"
TASK_OPERATION = "durabletask.task.operation"
TRIGGER_TYPE = "azure.functions.trigger_type"
RETRY_COUNT = "azure.functions.retry_count"
INVOCATION_ID = "InvocationId"
REJECTED = "funcscope.rejected"
UNFINISHED = "funcscope.is_unfinished"
TIMED_NAME = "funcscope.timed.name"
TIMED_DURATION = "funcscope.timed.duration"
LINKS_INVALID = "funcscope.links.invalid"
LINKS_DROPPED = "funcscope.links.dropped"
BUFFER_DROPPED = "funcscope.log_buffer.dropped"
EXPORTED_ITEMS = "funcscope.export.items"
WAITING_ITEMS = "funcscope.export.waiting"
SIGNAL = "funcscope.export.signal"
OUTCOME = "funcscope.export.outcome"
REASON = "funcscope.export.reason"

EXCEPTION_EVENT = "faas.invocation.exception"
"""The event that tells of what an invocation failed with: semantic conventions 1.44, `faas`."""

OWN_NAMES: Mapping[str, str] = {
    PAST_DUE: "whether the timer fired later than its schedule says",
    TIMER_LAST: "when the timer fired last, as the host tells",
    TIMER_NEXT: "when the timer is to fire next, as the host tells",
    DEQUEUE_COUNT: "how many times the storage queue has handed out the message",
    DOCUMENT_COUNT: "how many documents or rows the invocation got",
    BLOB_SIZE: "the blob's size in bytes",
    EVENT_TYPE: "the type of an event in Event Grid's own schema",
    EVENT_SUBJECT: "the subject of an event in Event Grid's own schema",
    HUB: "the SignalR or Web PubSub hub",
    HUB_CATEGORY: "what kind of hub event the function handles: connections, messages, …",
    HUB_EVENT: "the name of the hub event",
    TASK_NAME: "Durable Task's own name: the activity or entity",
    TASK_INSTANCE: "Durable Task's own name: the orchestration's or entity's instance id",
    TASK_ID: "Durable Task's own name: the number of the task in its orchestration",
    TASK_OPERATION: "Durable Task's own name: what an entity was asked, if one thing alone",
    TRIGGER_TYPE: "the type of the trigger's binding, as in function.json",
    RETRY_COUNT: "how many times the host has tried the invocation before",
    INVOCATION_ID: "`faas.invocation_id`, by the name that the host's own telemetry has for it",
    REJECTED: "whether an extension answered in the function's place",
    UNFINISHED: "whether the span was sent before its invocation had ended",
    TIMED_NAME: "what was timed",
    TIMED_DURATION: "a metric: how long it took, in seconds",
    LINKS_INVALID: "how many messages came with a trace context that is not valid",
    LINKS_DROPPED: "how many links were left out because a span holds so many only",
    EXPORTED_ITEMS: "a metric: how many spans, log records and data points were sent, sent once "
    "more, spooled or dropped, or left out by `FUNCSCOPE_KEEP_RATIO`",
    WAITING_ITEMS: "a metric: how many of them wait in memory to be sent",
    SIGNAL: "of these: `traces`, `logs` or `metrics`",
    OUTCOME: "of these: `sent`, `retried`, `spooled`, `dropped` or `left_out`",
    REASON: "of these: why they were dropped",
    BUFFER_DROPPED: "on a log record: how many before it the invocation's buffer had no room for",
}
"""
What each says. `azure.functions.*` are facts of Azure Functions, `funcscope.*` are about us,
and `durabletask.*` are the names that Microsoft's Durable Task emits itself.
"""
