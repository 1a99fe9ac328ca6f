"""How a family of triggers is described, from its tables of attributes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from opentelemetry.trace import SpanKind

from funcscope.telemetry._triggers.extractor import Description, same_error
from funcscope.telemetry._triggers.fields import Field, plain, read_fields, text
from funcscope.telemetry._triggers.links import Linked, carriers_of, link_to

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Link

    from funcscope.extensions import Binding, Function, Invocation
    from funcscope.telemetry._semconv import Attributes

BATCH_COUNT = "messaging.batch.message_count"
DESTINATION = "messaging.destination.name"

_SETTING = re.compile(r"%([^%]+)%")


class Declared(NamedTuple):
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
        """Return the first of these settings that is set, with app settings filled in."""
        values = map(self.trigger.settings.get, keys)
        found = next((value for value in values if value), None)
        return None if found is None else resolved(str(found), self.environ)


class Family(NamedTuple):
    """
    What is said of the triggers of one family.

    Attributes:
        title: Its name, for people.
        types: The binding types, as in function.json.
        faas_trigger: `faas.trigger`, semantic conventions 1.44.
        kind: The span's kind.
        system: `messaging.system`, which makes it a family of messages: spans are named
            `process {destination}` then.
        constants: What all invocations of a function have.
        invocation: What is read of each invocation.
        message: What is read of one message; of the trigger, where it is one message.
        destination: Reads where a message comes from, where its binding does not tell.
        links: Where a message's trace context is, for people; empty where there is none.
        is_recorded: Whether invocations get a span.
        raised: Returns the exception that a function's was made of.
    """

    title: str
    types: tuple[str, ...]
    faas_trigger: str
    kind: SpanKind = SpanKind.SERVER
    system: str | None = None
    constants: tuple[Field[Declared], ...] = ()
    invocation: tuple[Field[Invocation], ...] = ()
    message: tuple[Field[object], ...] = ()
    destination: Field[object] | None = None
    links: str = ""
    is_recorded: bool = True
    raised: Callable[[BaseException], BaseException] = same_error

    @property
    def message_fields(self) -> tuple[Field[object], ...]:
        """All that is read of one message."""
        return (*self.message, *((self.destination,) if self.destination else ()))


def resolved(value: str, environ: Mapping[str, str]) -> str:
    """Put app settings in the place of `%NAME%`; one that is not set stays as it is."""
    return _SETTING.sub(lambda match: environ.get(match[1], match[0]), value)


def setting_field(name: str, *keys: str) -> Field[Declared]:
    """Make an attribute of the first of these binding settings that is set."""
    source = " or ".join(f"`{key}`" for key in keys)
    return Field(name, f"binding: {source}", lambda declared: declared.setting(*keys))


def is_batch(trigger: object) -> bool:
    """Whether a trigger gave a list: `cardinality` is `many`, or documents come so anyway."""
    return isinstance(trigger, Sequence) and not isinstance(trigger, (str, bytes))


def messages_of(trigger: object) -> Sequence[object]:
    """Return the messages that a trigger gave: a batch, one, or none."""
    if trigger is None:
        return ()
    return cast("Sequence[object]", trigger) if is_batch(trigger) else (trigger,)


def describe_family(family: Family, declared: Declared, *, max_links: int) -> Description:
    """Describe a function's invocations by its trigger's family."""
    constants = family_constants(family, declared)
    fallback = plain(constants.get(DESTINATION))

    def destination_of(messages: Sequence[object]) -> str | None:
        return _destination(family, messages)

    def name(invocation: Invocation) -> str:
        destination = destination_of(messages_of(invocation.trigger)) or fallback
        return f"process {destination}" if destination else invocation.function_name

    def linked(invocation: Invocation) -> Linked:
        # `attributes` and `links` are both asked: the contexts are parsed once.
        found = invocation.state.get(Linked)
        if not isinstance(found, Linked):
            carriers = carriers_of(messages_of(invocation.trigger))
            found = invocation.state[Linked] = link_to(carriers, max_links=max_links)
        return found

    def attributes(invocation: Invocation) -> Attributes:
        said = _invocation_attributes(family, invocation)
        return {**said, **linked(invocation).attributes} if family.links else said

    def links(invocation: Invocation) -> Sequence[Link]:
        return linked(invocation).links if family.links else ()

    return Description(
        kind=family.kind,
        constants=constants,
        name=name if family.system else _function_name,
        attributes=attributes,
        links=links,
        message=lambda message: read_fields(family.message, message),
        destination=destination_of,
        is_recorded=family.is_recorded,
        raised=family.raised,
    )


def family_constants(family: Family, declared: Declared) -> Attributes:
    """Return what does not change between a function's invocations."""
    constants: Attributes = {"faas.trigger": family.faas_trigger}
    if family.system:
        constants["messaging.system"] = family.system
        constants["messaging.operation.name"] = constants["messaging.operation.type"] = "process"
    return {**constants, **read_fields(family.constants, declared)}


def _function_name(invocation: Invocation) -> str:
    return invocation.function_name


def _destination(family: Family, messages: Sequence[object]) -> str | None:
    """Read where the first message comes from: the host makes no batch of several places."""
    if family.destination is None or not messages:
        return None
    return text(read_fields((family.destination,), messages[0]).get(DESTINATION))


def _invocation_attributes(family: Family, invocation: Invocation) -> Attributes:
    attributes = read_fields(family.invocation, invocation)
    trigger = invocation.trigger
    if not is_batch(trigger):
        return {**attributes, **read_fields(family.message_fields, trigger)}
    if family.system:
        messages = messages_of(trigger)
        attributes[BATCH_COUNT] = len(messages)
        if destination := _destination(family, messages):
            attributes[DESTINATION] = destination
    return attributes
