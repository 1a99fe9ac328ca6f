"""
The names of attributes and metrics: the conventions', of two versions, and our own.

What changes is chosen as other instrumentations have it, by `OTEL_SEMCONV_STABILITY_OPT_IN`
(docs/decisions/051).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

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
"""An attribute: the name of an orchestrator, an activity or an entity."""
TASK_INSTANCE = "durabletask.task.instance_id"
"""An attribute: the id of an orchestration's or an entity's instance."""
TASK_ID = "durabletask.task.task_id"
TASK_OPERATION = "durabletask.task.operation"
"""An attribute: the name of an entity's operation."""
TRIGGER_TYPE = "azure.functions.trigger_type"
RETRY_COUNT = "azure.functions.retry_count"
INVOCATION_ID = "InvocationId"
"""An attribute of spans and log records: the invocation's id, as the portal looks for it."""
REJECTED = "funcscope.rejected"
UNFINISHED = "funcscope.is_unfinished"
TIMED_NAME = "funcscope.timed.name"
TIMED_DURATION = "funcscope.timed.duration"
LINKS_INVALID = "funcscope.links.invalid"
LINKS_DROPPED = "funcscope.links.dropped"
BUFFER_DROPPED = "funcscope.log_buffer.dropped"
EXPORTED_ITEMS = "funcscope.export.items"
"""A counter: spans, log records and data points that were sent, spooled, dropped, …"""
WAITING_ITEMS = "funcscope.export.waiting"
"""An up-down counter: spans and log records that wait to be exported."""
SIGNAL = "funcscope.export.signal"
OUTCOME = "funcscope.export.outcome"
REASON = "funcscope.export.reason"

EXCEPTION_EVENT = "faas.invocation.exception"
"""The event that tells of what an invocation failed with: semantic conventions 1.44, `faas`."""

OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"

NAMES = (
    "client.address", "cloud.account.id", "cloud.platform", "cloud.provider", "cloud.region",
    "cloud.resource_id", "cloudevents.event_id", "cloudevents.event_source",
    "cloudevents.event_spec_version", "cloudevents.event_subject", "cloudevents.event_type",
    "code.file.path", "code.function.name", "code.line.number", "code.stacktrace",
    "deployment.environment.name", "error.type", "exception.message", "exception.stacktrace",
    "exception.type", "faas.coldstart", "faas.coldstarts", "faas.cpu_usage", "faas.cron",
    "faas.document.collection", "faas.document.name", "faas.document.operation",
    "faas.document.time", "faas.errors", "faas.init_duration", "faas.instance",
    "faas.invocation_id", "faas.invocations", "faas.invoke_duration", "faas.max_memory",
    "faas.name", "faas.time", "faas.trigger", "gen_ai.operation.name", "gen_ai.prompt.name",
    "gen_ai.tool.name", "http.request.body.size", "http.request.method",
    "http.response.body.size", "http.response.status_code", "http.route",
    "http.server.request.duration", "mcp.method.name", "mcp.resource.uri",
    "mcp.server.operation.duration", "mcp.session.id", "messaging.batch.message_count",
    "messaging.consumer.group.name", "messaging.destination.name",
    "messaging.destination.partition.id", "messaging.destination.subscription.name",
    "messaging.eventhubs.message.enqueued_time", "messaging.kafka.offset",
    "messaging.message.conversation_id", "messaging.message.id", "messaging.operation.name",
    "messaging.operation.type", "messaging.process.duration",
    "messaging.servicebus.message.delivery_count", "messaging.servicebus.message.enqueued_time",
    "messaging.system", "server.address", "server.port", "service.instance.id", "service.name",
    "url.full", "url.path", "url.query", "url.scheme", "user_agent.original",
)  # fmt: skip
"""All attributes and metrics of semantic conventions 1.44 that are emitted."""

RENAMED: Mapping[str, Mapping[str, str]] = {
    "faas": {
        "faas.invocation_id": "faas.invocation.id",
        "faas.time": "faas.invocation.start_time",
    },
    "messaging": {
        "messaging.eventhubs.message.enqueued_time": "azure.eventhubs.message.enqueued_time",
        "messaging.kafka.offset": "kafka.offset",
        "messaging.servicebus.message.delivery_count": "azure.servicebus.message.delivery_count",
        "messaging.servicebus.message.enqueued_time": "azure.servicebus.message.enqueued_time",
        "messaging.system": "messaging.system.name",
    },
}
"""The names of these in 1.45, by what `OTEL_SEMCONV_STABILITY_OPT_IN` calls the family."""

SYSTEMS: Mapping[str, str] = {
    "eventgrid": "azure.eventgrid",
    "eventhubs": "azure.eventhubs",
    "servicebus": "azure.servicebus",
}
"""The values of `messaging.system.name` (1.45) that differ from those of `messaging.system`."""

SYSTEM_NAME = "messaging.system.name"
RESOURCE_GROUP = "azure.resource_group.name"
"""An attribute that 1.44 does not have."""

GEN_AI = "gen_ai_latest_experimental"


class ChosenNames(NamedTuple):
    """
    The names that an app asks for.

    Attributes:
        chosen: Of `faas`, `messaging` and `gen_ai_latest_experimental` those that were opted in.
        renamed: By its name in 1.44, the names that an attribute has instead; both for `/dup`.
        invocation_id: The names of an invocation's id, among them the host's own.
    """

    chosen: frozenset[str] = frozenset()
    renamed: Mapping[str, tuple[str, ...]] = {}
    invocation_id: tuple[str, ...] = ("faas.invocation_id", INVOCATION_ID)

    @property
    def schema_url(self) -> str:
        """The newest conventions of which names are emitted, as other instrumentations tell it."""
        version = "1.45.0" if self.renamed else "1.44.0"
        return f"https://opentelemetry.io/schemas/{version}"

    def apply(self, attributes: Attributes) -> Attributes:
        """Return attributes under the names that are asked for."""
        if not self.renamed:
            return attributes
        said: Attributes = {}
        for old, value in attributes.items():
            for name in self.renamed.get(old, (old,)):
                said[name] = SYSTEMS.get(str(value), value) if name == SYSTEM_NAME else value
        return said


NAMES_1_44 = ChosenNames()


def read_names(environ: Mapping[str, str]) -> ChosenNames:
    """
    Read which names an app asks for, of tokens that other instrumentations may have, too.

    `faas` and `messaging` ask for those of 1.45 alone, `faas/dup` and `messaging/dup` for both, and
    win, as in `opentelemetry.instrumentation._semconv` (0.66b1).
    """
    return _names_by(environ.get(OPT_IN, ""))


@lru_cache(maxsize=8)
def _names_by(opt_in: str) -> ChosenNames:
    tokens = {token.strip() for token in opt_in.split(",")}
    renamed: dict[str, tuple[str, ...]] = {}
    for family, names in RENAMED.items():
        if f"{family}/dup" in tokens:
            renamed.update((old, (old, new)) for old, new in names.items())
        elif family in tokens:
            renamed.update((old, (new,)) for old, new in names.items())
    chosen = {token.removesuffix("/dup") for token in tokens} & {*RENAMED, GEN_AI}
    ids = renamed.get("faas.invocation_id", ("faas.invocation_id",))
    return ChosenNames(frozenset(chosen), renamed, (*ids, INVOCATION_ID))


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
