"""
Triggers that give no messages, and those of which little is said.

Timers: `azure.functions.TimerRequest`; semantic conventions 1.44, `faas`.

Data that changed, in blobs, Cosmos DB, SQL and MySQL: semantic conventions 1.44, `faas.document`;
an operation that cannot be told from another is `edit`, as a change feed of latest versions has
inserts and updates alike.

Durable Functions: activities and entities have a span, orchestrators none. An orchestrator runs
again for each step of its history, and the host has a span of its own for the orchestration:
azure-functions-durable 2.x passes contexts on and records nothing (durabletask-python#179). What
the payloads say, `funcscope.contrib.durable` adds.

Model Context Protocol: tools, resources and prompts, without their arguments. Semantic conventions
1.44, `mcp` and `gen_ai`: in development, and moved to a repository of their own since.

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
from funcscope.telemetry._triggers.fields import Field, entries, items, parsed, read, text, whole
from funcscope.telemetry._triggers.table import DESTINATION, Declared, Family, setting_field

if TYPE_CHECKING:
    from funcscope.extensions import Invocation

COLLECTION = "faas.document.collection"
NAME = "faas.document.name"
OPERATION = "faas.document.operation"

_SQL_OPERATIONS = {"0": "insert", "1": "edit", "2": "delete"}
"""`SqlChangeOperation` of the SQL extension: Insert, Update, Delete."""

OUT_OF_PROC = "$OutOfProcData$:"
"""What stands before the state in an orchestrator's exception, in the host's format
(`TaskOrchestrationExecutor.py`, azure-functions-durable 1.7.0)."""


def _now(_trigger: object) -> str:
    """Return the time in UTC: the host does not say when the timer fired."""
    return datetime.now(timezone.utc).isoformat()


def _status(key: str) -> Field[object]:
    name = {"Last": TIMER_LAST, "Next": TIMER_NEXT}[key]
    source = f'`timer.schedule_status["{key}"]`'
    return Field(name, source, lambda timer: entries(read(timer, "schedule_status")).get(key))


TIMER = Family(
    title="Timer",
    types=("timerTrigger",),
    faas_trigger="timer",
    constants=(setting_field("faas.cron", "schedule"),),
    message=(
        Field("faas.time", "the time at which the function starts", _now),
        Field(PAST_DUE, "`timer.past_due`", lambda timer: read(timer, "past_due")),
        _status("Last"),
        _status("Next"),
    ),
)


def _path(blob: object) -> tuple[str, str]:
    """Return a blob's container and name; the Azure SDK's BlobClient has them apart."""
    container, name = text(read(blob, "container_name")), text(read(blob, "blob_name"))
    if container and name:
        return container, name
    first, _, rest = (text(read(blob, "name")) or "").lstrip("/").partition("/")
    return first, rest


def _declared_container(declared: Declared) -> str | None:
    container = (declared.setting("path") or "").lstrip("/").partition("/")[0]
    return None if "{" in container else container


def _modified(blob: object) -> object:
    return entries(read(blob, "blob_properties")).get("LastModified")


def _cosmos_operation(declared: Declared) -> str | None:
    """Return `edit`, except where the feed has deletions and every version too."""
    mode = (declared.setting("changeFeedMode") or "").replace("_", "").lower()
    return None if mode == "allversionsanddeletes" else "edit"


def _rows(invocation: Invocation) -> list[object]:
    """Return the rows: a list of its own type, or JSON (azure-functions 2.3.0, `sqlTrigger`)."""
    found = invocation.state.get(_rows)
    if found is None:
        trigger = invocation.trigger
        found = invocation.state[_rows] = items(trigger) or items(parsed(trigger))
    return items(found)


def _row_count(invocation: Invocation) -> int | None:
    return len(_rows(invocation)) or None


def _sql_operation(invocation: Invocation) -> str | None:
    """Return the operation that all rows have."""
    seen = {str(entries(row).get("Operation")) for row in _rows(invocation)}
    return _SQL_OPERATIONS.get(seen.pop()) if len(seen) == 1 else None


BLOB = Family(
    title="Blob",
    types=("blobTrigger",),
    faas_trigger="datasource",
    constants=(
        Field(OPERATION, "`edit`: new and changed blobs look alike", lambda _: "edit"),
        Field(COLLECTION, "binding: first segment of `path`", _declared_container),
    ),
    message=(
        Field(COLLECTION, "first segment of `blob.name`", lambda blob: _path(blob)[0]),
        Field(NAME, "the rest of `blob.name`", lambda blob: redact(_path(blob)[1])),
        Field(BLOB_SIZE, "`blob.length`", lambda blob: whole(read(blob, "length"))),
        Field("faas.document.time", '`blob.blob_properties["LastModified"]`', _modified),
    ),
)

COSMOS = Family(
    title="Cosmos DB",
    types=("cosmosDBTrigger",),
    faas_trigger="datasource",
    constants=(
        setting_field(COLLECTION, "databaseName"),
        setting_field(NAME, "containerName", "collectionName"),
        Field(
            OPERATION,
            "`edit`; nothing where `changeFeedMode` is `AllVersionsAndDeletes`",
            _cosmos_operation,
        ),
    ),
    invocation=(Field(DOCUMENT_COUNT, "how many documents came", _row_count),),
)

SQL = Family(
    title="SQL",
    types=("sqlTrigger",),
    faas_trigger="datasource",
    constants=(setting_field(NAME, "tableName"),),
    invocation=(
        Field(DOCUMENT_COUNT, "how many rows came, in at most 64 KiB of JSON", _row_count),
        Field(OPERATION, "`Operation` of the rows, where it is the same in all", _sql_operation),
    ),
)

MYSQL = Family(
    title="MySQL",
    types=("mysqlTrigger",),
    faas_trigger="datasource",
    constants=(setting_field(NAME, "tableName"),),
    invocation=(Field(DOCUMENT_COUNT, "how many rows came", _row_count),),
)


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


def _call(call: object, key: str) -> object:
    """Read a call, which functions get as JSON, as a mapping or as an object."""
    found = entries(call) or entries(parsed(call))
    return found.get(key) if found else read(call, key)


def _constant(name: str, value: str) -> Field[Declared]:
    return Field(name, f"`{value}`", lambda _declared: value)


def _uri(declared: Declared) -> str:
    return redact(declared.setting("uri") or "")


_SESSION: Field[object] = Field(
    "mcp.session.id", "`sessionid` of the call", lambda call: _call(call, "sessionid")
)

TOOL = Family(
    title="MCP tool",
    types=("mcpToolTrigger",),
    faas_trigger="other",
    kind=SpanKind.INTERNAL,
    constants=(
        _constant("mcp.method.name", "tools/call"),
        _constant("gen_ai.operation.name", "execute_tool"),
        setting_field("gen_ai.tool.name", "toolName"),
    ),
    message=(
        Field("gen_ai.tool.name", "`name` of the call", lambda call: _call(call, "name")),
        _SESSION,
    ),
)

RESOURCE = Family(
    title="MCP resource",
    types=("mcpResourceTrigger",),
    faas_trigger="other",
    kind=SpanKind.INTERNAL,
    constants=(
        _constant("mcp.method.name", "resources/read"),
        Field("mcp.resource.uri", "binding: `uri`", _uri),
    ),
    message=(_SESSION,),
)

PROMPT = Family(
    title="MCP prompt",
    types=("mcpPromptTrigger",),
    faas_trigger="other",
    kind=SpanKind.INTERNAL,
    constants=(
        _constant("mcp.method.name", "prompts/get"),
        setting_field("gen_ai.prompt.name", "promptName"),
    ),
    message=(_SESSION,),
)


HUBS = Family(
    title="SignalR and Web PubSub",
    types=("signalRTrigger", "webPubSubTrigger"),
    faas_trigger="other",
    # The payload holds the user's id and query: nothing is read of it.
    constants=(
        setting_field(HUB, "hubName", "hub"),
        setting_field(HUB_CATEGORY, "category", "eventType"),
        setting_field(HUB_EVENT, "event", "eventName"),
    ),
)

DAPR_TOPIC = Family(
    title="Dapr topic",
    types=("daprTopicTrigger",),
    faas_trigger="pubsub",
    kind=SpanKind.CONSUMER,
    system="dapr",
    constants=(setting_field(DESTINATION, "topic"),),
)

WARMUP = Family(
    title="Warm-up", types=("warmupTrigger",), faas_trigger="other", kind=SpanKind.INTERNAL
)

OTHER = Family(title="Any other", types=("any other",), faas_trigger="other")
