"""
Model Context Protocol: tools, resources and prompts, without their arguments.

Semantic conventions 1.44, `mcp` and `gen_ai`: in development, and moved to a repository of their
own since.
"""

from __future__ import annotations

from opentelemetry.trace import SpanKind

from funcscope.telemetry._redaction.redactor import redact
from funcscope.telemetry._triggers.fields import Field, entries, parsed, read
from funcscope.telemetry._triggers.table import Declared, Family, setting_field


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
