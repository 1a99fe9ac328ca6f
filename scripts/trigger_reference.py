"""
The reference of triggers, made from the tables that the spans are made from.

`make docs` writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.telemetry._semconv import OWN_NAMES, RENAMED, SYSTEMS
from funcscope.telemetry._spans.attributes import SOURCES
from funcscope.telemetry._triggers.families import TABLES
from funcscope.telemetry._triggers.http import HTTP_SOURCES
from funcscope.telemetry._triggers.table import BATCH_COUNT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from funcscope.telemetry._triggers.table import TriggerTable

_INTRODUCTION = """\
# What each trigger's span says

Made by `make docs` from the tables in
`telemetry/funcscope/telemetry/_triggers/`: change those, not this page.

Every invocation's span is a child of the host's. Where the host exports the request itself,
spans are `INTERNAL` and named `function {name}`; else kind and name are the ones below.
`%NAME%` in a binding is replaced by the app setting of that name. An attribute whose source is
missing is left out.

A sampler returns a span's first attributes, as OpenTelemetry's SDK has it: one that returns its own
alone leaves the span without those that were known when it began.
"""

_MISSING = """\
## What a span cannot see

The worker decodes the trigger's input before it calls the function, and converts the return
value after it. A failure there fails the invocation, and the span knows nothing of it: after
one in decoding there is no span, after one in converting the span is that of a success.
"""

_MESSAGES = """\
## One message of a batch

A batch is one invocation and has one span, with a link for each message. To process each message
in a span of its own:

```python
# function_app.py
import funcscope.auto

from typing import List                 # the worker refuses an app with list[…] here

import azure.functions as func
from funcscope.telemetry import each_message

app = func.FunctionApp()


@app.service_bus_queue_trigger(
    arg_name="messages", queue_name="orders", connection="ServiceBus", cardinality="many"
)
def orders(messages: List[func.ServiceBusMessage]) -> None:
    for message in each_message(messages):
        print(message.get_body().decode())
```

The span `process {destination}` is current in the loop's body, a child of the invocation's, and
linked to the message's own context. It ends with the next message or the loop. An exception that
leaves the loop is recorded on the invocation's span only.

A link comes from `traceparent` and `tracestate`, else from `Diagnostic-Id`. Messages with the same
context share one. Storage queues, blobs and Event Grid's own schema carry no context.
"""


_MCP = """\
## Model Context Protocol

Tools, resources and prompts have their spans by the conventions' names, and nothing says what they were
called with, or what they answered. Where the host sends no parent, the context in the request's
`params._meta` (`_meta` of what the function gets) is.

With `gen_ai_latest_experimental` in `OTEL_SEMCONV_STABILITY_OPT_IN`, which instrumentations of models
and agents read, too, they are server spans as the GenAI conventions (0.1) have them: `SERVER`,
`tools/call {tool}`, `prompts/get {prompt}` or `resources/read`, and `mcp.server.operation.duration`
is [measured](metrics.md). Where the host exports spans itself, they are below its own as all others
are.

The agents of azurefunctions-agents-runtime (0.1.0b17) are functions as all others, and an agent's MCP
endpoint is such a tool. Below an invocation's span are Agent Framework's: `invoke_agent`, `chat` and
`execute_tool`, with each tool's log records. The runtime's own, `agent.run`, and its metrics are there
where a provider is set when the app is made:

<!-- held by: tests/integration/test_agents.py -->
```py
import funcscope.auto
from funcscope.telemetry import start

start()

from azure_functions_agents import create_function_app

app = create_function_app()
```

What an agent is told and says is in none of these spans, unless `ENABLE_SENSITIVE_DATA` asks the runtime
for it. Tried with a queue's agent, the chat endpoint and the MCP endpoint, and a stand-in for the model
(`tests/integration/test_agents.py`); not with agents that run as workflows of Durable Functions.
"""

_NEWER = """\
## Names of newer conventions

All names above are of semantic conventions 1.44. `OTEL_SEMCONV_STABILITY_OPT_IN` asks for those of
1.45 where they differ, on spans, log records, measurements and the resource: `faas` or `messaging`
for the new names alone, `faas/dup` or `messaging/dup` for both. The resource has
`azure.resource_group.name` then, too, with `faas`. `InvocationId`, by which Azure's portal finds
invocations, is always there.
"""


def reference() -> str:
    """Return the page, in Markdown."""
    http = ("HTTP", ("httpTrigger",), "`SERVER`, `{METHOD} {route}`", HTTP_SOURCES, "")
    sections = [_section(*http), *map(_table_section, TABLES)]
    common = ["## Every trigger", "", *_table(SOURCES), ""]
    return "\n".join(
        [_INTRODUCTION, *common, *sections, _MESSAGES, _MCP, _MISSING, _newer_names(), _own_names()]
    )


def table_sources(table: TriggerTable) -> list[tuple[str, str]]:
    """List the attributes of a table with their sources, the better source first."""
    rows = [("faas.trigger", f"`{table.faas_trigger}`")]
    if table.system:
        rows.append(("messaging.system", f"`{table.system}`"))
        rows.append(("messaging.operation.name", "`process`"))
        rows.append(("messaging.operation.type", "`process`"))
        rows.append((BATCH_COUNT, "how many messages came, of a batch"))
    for fields in (table.message_fields, table.invocation, table.constants):
        rows.extend((field.name, field.source) for field in fields)
    return rows


def _table_section(table: TriggerTable) -> str:
    name = "process {destination}" if table.system else "{function}"
    kind = f"`{table.kind.name}`, `{name}`" if table.is_recorded else "no span"
    rows = table_sources(table) if table.is_recorded else []
    return _section(table.title, table.types, kind, rows, table.links)


def _table(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [
        "| Attribute | Source |",
        "|---|---|",
        *(f"| `{name}` | {source} |" for name, source in rows),
    ]


def _section(
    title: str,
    types: Iterable[str],
    kind: str,
    rows: Iterable[tuple[str, str]],
    links: str,
) -> str:
    lines = [f"## {title}", "", f"{', '.join(f'`{name}`' for name in types)}: {kind}.", ""]
    if sources := _joined(rows):
        lines += _table(sources.items())
        lines += [""]
    return "\n".join([*lines, *([f"Links from {links}.", ""] if links else [])])


def _joined(rows: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Join the sources of an attribute that has several."""
    sources: dict[str, str] = {}
    for name, source in rows:
        sources[name] = f"{sources[name]}; else {source}" if name in sources else source
    return sources


def _newer_names() -> str:
    rows = [
        f"| `{old}` | `{new}` | `{family}` |"
        for family, names in RENAMED.items()
        for old, new in names.items()
    ]
    values = [f"`{old}` is `{new}`" for old, new in SYSTEMS.items()]
    lines = [_NEWER, "| 1.44 | 1.45 | token |", "|---|---|---|", *rows, ""]
    return "\n".join([*lines, f"In `messaging.system.name`, {', '.join(values)}.", ""])


def _own_names() -> str:
    lines = ["## Names of our own", "", "The semantic conventions (1.44) have none for these.", ""]
    lines += ["| Attribute | Meaning |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{n}` | {meaning} |" for n, meaning in OWN_NAMES.items()), ""])
