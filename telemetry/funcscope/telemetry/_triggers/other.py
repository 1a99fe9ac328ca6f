"""
Triggers that give no messages, or of which little is read.

Timers: `azure.functions.TimerRequest`; semantic conventions 1.44, `faas`.

Data that changed, in blobs, Cosmos DB, SQL and MySQL: semantic conventions 1.44, `faas.document`;
an operation that cannot be told from another is `edit`, as a change feed of latest versions has
inserts and updates alike.

Durable Functions: activities and entities have a span, orchestrators none. An orchestrator runs
again for each step of its history, and the host has a span of its own for the orchestration:
azure-functions-durable 2.x passes contexts on and records nothing (durabletask-python#179). What
the payloads say, `funcscope.contrib.durable` adds.

Model Context Protocol: tools, resources and prompts, without their arguments. Semantic conventions
1.44, `mcp` and `gen_ai`: in development, and moved to a repository of their own since
(semantic-conventions-genai 0.1, docs/gen-ai/mcp.md), which has the same names. Its kind and name of
spans, and its metric, are there where they are asked for (docs/decisions/051).

Hubs, Dapr topics, warm-up, and whatever else there is.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from funcscope.extensions.integration import trigger_metadata
from funcscope.telemetry._redaction.redactor import redact
from funcscope.telemetry._semconv import (
    BLOB_SIZE,
    DOCUMENT_COUNT,
    HUB,
    HUB_CATEGORY,
    HUB_EVENT,
    PAST_DUE,
    TASK_ID,
    TASK_INSTANCE,
    TASK_NAME,
    TIMER_LAST,
    TIMER_NEXT,
)
from funcscope.telemetry._triggers.fields import (
    AttributeField,
    entries,
    items,
    parsed,
    property_field,
    read,
    text,
    whole,
)
from funcscope.telemetry._triggers.table import (
    DESTINATION,
    TriggerBinding,
    TriggerTable,
    setting_field,
)

if TYPE_CHECKING:
    from funcscope.extensions import Invocation

_COLLECTION = "faas.document.collection"
_NAME = "faas.document.name"
_OPERATION = "faas.document.operation"
_INTERNAL = SpanKind.INTERNAL

_SQL_OPERATIONS = {"0": "insert", "1": "edit", "2": "delete"}
"""`SqlChangeOperation` of the SQL extension: Insert, Update, Delete."""

_OUT_OF_PROC = "$OutOfProcData$:"
"""The mark before the state in an orchestrator's exception, in the host's format
(`TaskOrchestrationExecutor.py`, azure-functions-durable 1.7.0)."""


def _now(_trigger: object) -> str:
    """Return the time in UTC: the host does not say when the timer fired."""
    return datetime.now(timezone.utc).isoformat()


def _schedule_field(name: str, key: str) -> AttributeField[object]:
    source = f'`timer.schedule_status["{key}"]`'
    return AttributeField(
        name, source, lambda timer: entries(read(timer, "schedule_status")).get(key)
    )


def _path(blob: object) -> tuple[str, str]:
    """Return a blob's container and name; the Azure SDK's BlobClient has them apart."""
    container, name = text(read(blob, "container_name")), text(read(blob, "blob_name"))
    if container and name:
        return container, name
    first, _, path = (text(read(blob, "name")) or "").lstrip("/").partition("/")
    return first, path


def _declared_container(binding: TriggerBinding) -> str | None:
    container = (binding.setting("path") or "").lstrip("/").partition("/")[0]
    return None if "{" in container else container


def _modified(blob: object) -> object:
    return entries(read(blob, "blob_properties")).get("LastModified")


def _cosmos_operation(binding: TriggerBinding) -> str | None:
    """Return `edit`, except where the feed has deletions and every version too."""
    mode = (binding.setting("changeFeedMode") or "").replace("_", "").lower()
    return None if mode == "allversionsanddeletes" else "edit"


def _rows(invocation: Invocation) -> list[object]:
    """Return the rows: a list of its own type, or JSON (azure-functions 2.3.0, `sqlTrigger`)."""
    rows = invocation.state.get(_rows)
    if rows is None:
        trigger = invocation.trigger
        rows = invocation.state[_rows] = items(trigger) or items(parsed(trigger))
    return items(rows)


def _count_field(source: str) -> AttributeField[Invocation]:
    return AttributeField(DOCUMENT_COUNT, source, lambda invocation: len(_rows(invocation)) or None)


def _sql_operation(invocation: Invocation) -> str | None:
    """Return the operation that all rows have."""
    operations = {str(entries(row).get("Operation")) for row in _rows(invocation)}
    return _SQL_OPERATIONS.get(operations.pop()) if len(operations) == 1 else None


def _tag_field(name: str) -> AttributeField[Invocation]:
    def read_tag(invocation: Invocation) -> object:
        sent = invocation.trace_context
        return None if sent is None else sent.attributes.get(name)

    return AttributeField(name, "the tag of the same name of the host's activity", read_tag)


def _task_field(setting: str) -> AttributeField[TriggerBinding]:
    """Name a task as the host's extension does (`ActivityTriggerAttributeBindingProvider.cs`)."""
    return AttributeField(
        TASK_NAME,
        f"binding: `{setting}`, else the function's name",
        lambda binding: binding.setting(setting) or binding.function.name,
    )


_TASK_TAG, _INSTANCE_TAG, _ID_TAG = map(_tag_field, (TASK_NAME, TASK_INSTANCE, TASK_ID))
_INSTANCE: AttributeField[Invocation] = AttributeField(
    TASK_INSTANCE,
    "trigger metadata: `instanceId`; else the tag of the same name of the host's activity",
    lambda invocation: (
        trigger_metadata(invocation.context, "instanceId") or _INSTANCE_TAG.read(invocation)
    ),
)


def _orchestrators_own(error: BaseException) -> BaseException:
    """Return what an orchestrator raised, of which the SDK makes one for the host."""
    if error.__cause__ is not None and _OUT_OF_PROC in str(error):
        return error.__cause__
    return error


def _call_field(name: str, key: str) -> AttributeField[object]:
    """Make an attribute of a call, which functions get as JSON, as a mapping or as an object."""

    def read_call(call: object) -> object:
        fields = entries(call) or entries(parsed(call))
        return fields.get(key) if fields else read(call, key)

    return AttributeField(name, f"`{key}` of the call", read_call)


def _constant(name: str, value: str) -> AttributeField[TriggerBinding]:
    return AttributeField(name, f"`{value}`", lambda _: value)


def _uri(binding: TriggerBinding) -> str:
    return redact(binding.setting("uri") or "")


# Of tools and prompts, and of resources (azure-functions-mcp-extension, `Abstractions/`).
_SESSION = tuple(_call_field("mcp.session.id", key) for key in ("sessionid", "sessionId"))

OTHERS = (
    TriggerTable(
        "Timer",
        ("timerTrigger",),
        "timer",
        constants=(setting_field("faas.cron", "schedule"),),
        message=(
            AttributeField("faas.time", "the time at which the function starts", _now),
            property_field(PAST_DUE, "timer.past_due"),
            _schedule_field(TIMER_LAST, "Last"),
            _schedule_field(TIMER_NEXT, "Next"),
        ),
    ),
    TriggerTable(
        "Blob",
        ("blobTrigger",),
        "datasource",
        constants=(
            AttributeField(
                _OPERATION, "`edit`: new and changed blobs look alike", lambda _: "edit"
            ),
            AttributeField(_COLLECTION, "binding: first segment of `path`", _declared_container),
        ),
        message=(
            AttributeField(
                _COLLECTION, "first segment of `blob.name`", lambda blob: _path(blob)[0]
            ),
            AttributeField(_NAME, "the rest of `blob.name`", lambda blob: redact(_path(blob)[1])),
            property_field(BLOB_SIZE, "blob.length", whole),
            AttributeField(
                "faas.document.time", '`blob.blob_properties["LastModified"]`', _modified
            ),
        ),
    ),
    TriggerTable(
        "Cosmos DB",
        ("cosmosDBTrigger",),
        "datasource",
        constants=(
            setting_field(_COLLECTION, "databaseName"),
            setting_field(_NAME, "containerName", "collectionName"),
            AttributeField(
                _OPERATION,
                "`edit`; nothing where `changeFeedMode` is `AllVersionsAndDeletes`",
                _cosmos_operation,
            ),
        ),
        invocation=(_count_field("how many documents came"),),
    ),
    TriggerTable(
        "SQL",
        ("sqlTrigger",),
        "datasource",
        constants=(setting_field(_NAME, "tableName"),),
        invocation=(
            _count_field("how many rows came, in at most 64 KiB of JSON"),
            AttributeField(
                _OPERATION,
                "`Operation` of the rows, where it is the same in all",
                _sql_operation,
            ),
        ),
    ),
    TriggerTable(
        "MySQL",
        ("mysqlTrigger",),
        "datasource",
        constants=(setting_field(_NAME, "tableName"),),
        invocation=(_count_field("how many rows came"),),
    ),
    TriggerTable(
        "Durable activity",
        ("activityTrigger",),
        "other",
        _INTERNAL,
        constants=(_task_field("activity"),),
        invocation=(_TASK_TAG, _INSTANCE, _ID_TAG),
    ),
    TriggerTable(
        "Durable entity",
        ("entityTrigger",),
        "other",
        _INTERNAL,
        constants=(_task_field("entityName"),),
        invocation=(_TASK_TAG, _INSTANCE_TAG, _ID_TAG),
    ),
    TriggerTable(
        "Durable orchestrator",
        ("orchestrationTrigger",),
        "other",
        _INTERNAL,
        is_recorded=False,
        original_error=_orchestrators_own,
    ),
    TriggerTable(
        "MCP tool",
        ("mcpToolTrigger",),
        "other",
        _INTERNAL,
        constants=(
            _constant("mcp.method.name", "tools/call"),
            _constant("gen_ai.operation.name", "execute_tool"),
            setting_field("gen_ai.tool.name", "toolName"),
        ),
        message=(_call_field("gen_ai.tool.name", "name"), *_SESSION),
    ),
    TriggerTable(
        "MCP resource",
        ("mcpResourceTrigger",),
        "other",
        _INTERNAL,
        constants=(
            _constant("mcp.method.name", "resources/read"),
            AttributeField("mcp.resource.uri", "binding: `uri`", _uri),
        ),
        message=_SESSION,
    ),
    TriggerTable(
        "MCP prompt",
        ("mcpPromptTrigger",),
        "other",
        _INTERNAL,
        constants=(
            _constant("mcp.method.name", "prompts/get"),
            setting_field("gen_ai.prompt.name", "promptName"),
        ),
        message=_SESSION,
    ),
    TriggerTable(
        "SignalR and Web PubSub",
        ("signalRTrigger", "webPubSubTrigger"),
        "other",
        # The payload holds the user's id and query: nothing is read of it.
        constants=(
            setting_field(HUB, "hubName", "hub"),
            setting_field(HUB_CATEGORY, "category", "eventType"),
            setting_field(HUB_EVENT, "event", "eventName"),
        ),
    ),
    TriggerTable(
        "Dapr topic",
        ("daprTopicTrigger",),
        "pubsub",
        SpanKind.CONSUMER,
        system="dapr",
        constants=(setting_field(DESTINATION, "topic"),),
    ),
    TriggerTable("Warm-up", ("warmupTrigger",), "other", _INTERNAL),
)

OTHER = TriggerTable("Any other", ("any other",), "other")
