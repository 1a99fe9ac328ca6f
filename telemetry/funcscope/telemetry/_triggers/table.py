"""Triggers that are read by a table of attributes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, cast

from opentelemetry.trace import SpanKind

from funcscope.telemetry._semconv import GEN_AI, read_names
from funcscope.telemetry._triggers.extractor import (
    NO_OUTCOME,
    DescribedSnapshot,
    InvocationOutcome,
    TriggerExtractor,
)
from funcscope.telemetry._triggers.fields import (
    AttributeField,
    entries,
    parsed,
    plain,
    read,
    read_fields,
    text,
)
from funcscope.telemetry._triggers.links import Linked, carriers_of, link_to, span_context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Link, SpanContext

    from funcscope.extensions import Binding, Function, Invocation
    from funcscope.telemetry._semconv import Attributes

BATCH_COUNT = "messaging.batch.message_count"
DESTINATION = "messaging.destination.name"

_SETTING = re.compile(r"%([^%]+)%")


class TriggerBinding(NamedTuple):
    """
    A trigger as the app declares it.

    Attributes:
        function: The function that it starts.
        trigger: Its binding.
        environ: App settings, for names such as `%QUEUE%`.
    """

    function: Function
    trigger: Binding
    environ: Mapping[str, str]

    def setting(self, *keys: str) -> str | None:
        """
        Return the first of these settings that is set.

        `%NAME%` in it is the app setting of that name; where none is set, it stays as it is.
        """
        value = next(filter(None, map(self.trigger.settings.get, keys)), None)
        if value is None:
            return None
        return _SETTING.sub(lambda match: self.environ.get(match[1], match[0]), str(value))


class TriggerTable(NamedTuple):
    """
    One kind of trigger, and the attributes that are read of it.

    Attributes:
        title: Its name, for people.
        types: The binding types, as in function.json.
        faas_trigger: `faas.trigger`, semantic conventions 1.44.
        kind: The span's kind.
        system: `messaging.system` where it gives messages: spans are named `process {destination}`
            then.
        constants: Attributes that all invocations of a function have.
        invocation: Attributes that are read of each invocation.
        message: Attributes that are read of one message; of the trigger, where it is one message.
        destination: Reads where a message comes from, where its binding does not tell.
        links: Where a message's trace context is, for people; empty where there is none.
        is_recorded: Whether invocations get a span.
        original_error: Returns the exception that a function's was made of; None for the same.
    """

    title: str
    types: tuple[str, ...]
    faas_trigger: str
    kind: SpanKind = SpanKind.SERVER
    system: str | None = None
    constants: tuple[AttributeField[TriggerBinding], ...] = ()
    invocation: tuple[AttributeField[Invocation], ...] = ()
    message: tuple[AttributeField[object], ...] = ()
    destination: AttributeField[object] | None = None
    links: str = ""
    is_recorded: bool = True
    original_error: Callable[[BaseException], BaseException] | None = None

    @property
    def message_fields(self) -> tuple[AttributeField[object], ...]:
        """All that is read of one message."""
        return self.message if self.destination is None else (*self.message, self.destination)


def setting_field(name: str, *keys: str) -> AttributeField[TriggerBinding]:
    """Make an attribute of the first of these binding settings that is set."""
    source = " or ".join(f"`{key}`" for key in keys)
    return AttributeField(name, f"binding: {source}", lambda binding: binding.setting(*keys))


def is_batch(trigger: object) -> bool:
    """Return whether a trigger is a list: by `cardinality`, or as documents come so anyway."""
    return isinstance(trigger, Sequence) and not isinstance(trigger, (str, bytes))


def messages_of(trigger: object) -> Sequence[object]:
    """Return the messages that a trigger gave: a batch, one, or none."""
    if trigger is None:
        return ()
    return cast("Sequence[object]", trigger) if is_batch(trigger) else (trigger,)


class TableExtractor(TriggerExtractor):
    """
    Reads a trigger by its table.

    Args:
        table: The table.
        binding: The trigger as the app declares it.
        max_links: How many links a span has at most.
    """

    def __init__(self, table: TriggerTable, binding: TriggerBinding, max_links: int) -> None:
        names = read_names(binding.environ)
        super().__init__(binding.function, names.apply(_constants(table, binding)))
        self._names = names if names.renamed else None
        self.kind = table.kind
        if GEN_AI in names.chosen and (operation := _operation(self.constants)):
            self.kind, self.operation = SpanKind.SERVER, operation
        self.is_recorded = table.is_recorded
        self.has_links = bool(table.links)
        self._table = table
        self._max_links = max_links
        # Nothing is returned and put out by most functions, or nobody knows how it is converted.
        self._takes_anything = binding.function.conversions is None
        self._takes_none = not binding.function.conversions
        self._declared_destination = plain(self.constants.get(DESTINATION))

    def snapshot(self, invocation: Invocation) -> DescribedSnapshot:
        """Read all at once: messages are the worker's, and too large to wait."""
        attributes = self._attributes(invocation)
        name = self.operation or invocation.function_name
        if self._table.system:
            destination = text(attributes.get(DESTINATION)) or self._declared_destination
            name = f"process {destination}" if destination else name
        return DescribedSnapshot(name, attributes)

    def _attributes(self, invocation: Invocation) -> Attributes:
        table, trigger = self._table, invocation.trigger
        attributes = read_fields(table.invocation, invocation)
        if not is_batch(trigger):
            attributes |= read_fields(table.message_fields, trigger)
        elif table.system:
            messages = messages_of(trigger)
            attributes[BATCH_COUNT] = len(messages)
            if destination := self.destination(messages):
                attributes[DESTINATION] = destination
        if self.has_links:
            attributes |= self._linked(invocation).attributes
        return attributes if self._names is None else self._names.apply(attributes)

    def links(self, invocation: Invocation) -> Sequence[Link]:
        """Return links to the contexts that came with messages."""
        return self._linked(invocation).links if self.has_links else ()

    def parent(self, invocation: Invocation) -> SpanContext | None:
        """Return the span of an MCP client, which stands in its request's `params._meta`."""
        if "mcp.method.name" not in self.constants:
            return None
        with suppress(Exception):
            call = _mcp_call(invocation.trigger)
            meta = entries(call.get("_meta")) or entries(entries(call.get("params")).get("_meta"))
            context = span_context(meta)
            return context if context is not None and context.is_valid else None
        return None

    def _linked(self, invocation: Invocation) -> Linked:
        # `attributes` and `links` both need it: the contexts are parsed once.
        linked = invocation.state.get(Linked)
        if not isinstance(linked, Linked):
            carriers = carriers_of(messages_of(invocation.trigger))
            linked = invocation.state[Linked] = link_to(carriers, max_links=self._max_links)
        return linked

    def outcome(self, invocation: Invocation, result: object) -> InvocationOutcome:
        """Read whether the worker refuses what the function returned, where that is known."""
        if self._takes_anything or (result is None and self._takes_none):
            return NO_OUTCOME
        return self._refusal(invocation, result) or NO_OUTCOME

    def original_error(self, error: BaseException) -> BaseException:
        """Return the exception that a function's was made of, where a library made one."""
        original = self._table.original_error
        return error if original is None else original(error)

    def message_attributes(self, message: object) -> Attributes:
        """Return the attributes of one message of a batch."""
        attributes = read_fields(self._table.message, message)
        return attributes if self._names is None else self._names.apply(attributes)

    def destination(self, messages: Sequence[object]) -> str | None:
        """Return where the first message comes from: the host makes no batch of several places."""
        field = self._table.destination
        if field is None or not messages:
            return None
        return text(read_fields((field,), messages[0]).get(DESTINATION))


def _mcp_call(trigger: object) -> Mapping[object, object]:
    """
    Return the call that an MCP trigger gave: a mapping, JSON, or what a prompt's context is of.

    `PromptInvocationContext` shows no more of it than names and arguments (azure-functions 2.3.0,
    `azure/functions/mcp.py`).
    """
    return entries(trigger) or entries(parsed(trigger)) or entries(read(trigger, "_data"))


def _operation(constants: Attributes) -> str:
    """Name an MCP operation: its method, and the tool or prompt, but no resource."""
    parts = map(constants.get, ("mcp.method.name", "gen_ai.tool.name", "gen_ai.prompt.name"))
    return " ".join(str(part) for part in parts if part)


def _constants(table: TriggerTable, binding: TriggerBinding) -> Attributes:
    """Return what does not change between a function's invocations."""
    constants: Attributes = {"faas.trigger": table.faas_trigger}
    if table.system:
        constants["messaging.system"] = table.system
        constants["messaging.operation.name"] = constants["messaging.operation.type"] = "process"
    return {**constants, **read_fields(table.constants, binding)}
