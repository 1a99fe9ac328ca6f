"""The messages of a batch, each processed in a span of its own."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from opentelemetry.context import attach, get_current
from opentelemetry.trace import SpanKind, set_span_in_context

from funcscope.extensions import current_invocation
from funcscope.telemetry._scope import get_tracer
from funcscope.telemetry.triggers import describe
from funcscope.telemetry.triggers._carriers import carriers_of
from funcscope.telemetry.triggers._family import DESTINATION
from funcscope.telemetry.triggers._links import link_to
from funcscope.telemetry.triggers._values import add, read

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from funcscope.extensions import Function
    from funcscope.telemetry.triggers import Attributes, Description
    from funcscope.telemetry.triggers._links import Carrier

T = TypeVar("T")

MESSAGE_ID = "messaging.message.id"

_OF_MESSAGES = (
    "messaging.system",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.consumer.group.name",
    "messaging.destination.subscription.name",
    DESTINATION,
)


def each_message(batch: Iterable[T]) -> Generator[T, None, None]:
    """
    Process the messages of a batch one by one, each in a span of its own.

    The span is current while the loop's body runs, a child of the span that was current before,
    and linked to the context that the message came with. It ends when the loop asks for the next
    message, or is left.

    An exception that leaves the loop ends the span, but is not recorded on it: a generator
    cannot see what happens in the body of the loop. The invocation's span has it.

    Args:
        batch: Messages of Service Bus, Event Hubs, Kafka or storage queues, in the types of
            `azure.functions` or of the Azure SDKs. Anything else gets a span without a link.

    Example:
        >>> for order in each_message(["a", "b"]):
        ...     print(order)
        a
        b
    """
    messages = list(batch)
    parent, tracer, describe_message = get_current(), get_tracer(), _described(messages)
    for message, carrier in zip(messages, _carriers(messages), strict=True):
        span = _start(tracer, parent, describe_message(message), carrier)
        token = attach(set_span_in_context(span, parent))
        try:
            yield message
        finally:
            _restore(token)
            span.end()


def _start(tracer: Tracer, parent: Context, attributes: Attributes, carrier: Carrier) -> Span:
    linked = link_to([carrier])
    destination = attributes.get(DESTINATION)
    return tracer.start_span(
        f"process {destination}" if destination else "process",
        parent,
        SpanKind.CONSUMER,
        {**attributes, **linked.attributes},
        linked.links,
    )


def _described(messages: Sequence[object]) -> Callable[[object], Attributes]:
    """Work out once what all messages have, and return what describes each."""
    description = _description()
    shared: Attributes = {"messaging.operation.name": "process"}
    shared["messaging.operation.type"] = "process"
    if description is None:
        return lambda message: {**shared, **_id(message)}
    constants = description.constants
    shared.update({name: constants[name] for name in _OF_MESSAGES if name in constants})
    add(shared, DESTINATION, description.destination(messages))
    return lambda message: {**shared, **_id(message), **description.message(message)}


def _id(message: object) -> Attributes:
    """Return the message's id, under the name that most kinds of message have for it."""
    attributes: Attributes = {}
    add(attributes, MESSAGE_ID, _text(read(message, "message_id")) or _text(read(message, "id")))
    return attributes


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _description() -> Description | None:
    """Describe the trigger of the function that runs; None where it is not of messages."""
    invocation = current_invocation()
    if invocation is None:
        return None
    description = _describe(invocation.function)
    return description if "messaging.system" in description.constants else None


@lru_cache(maxsize=256)
def _describe(function: Function) -> Description:
    return describe(function, route_prefix="", environ=os.environ)


def _carriers(messages: Sequence[object]) -> Sequence[Carrier]:
    with suppress(Exception):
        return carriers_of(messages)
    return [{} for _ in messages]


def _restore(token: Token[Context]) -> None:
    """Make what was current before the message current again."""
    # A loop that is abandoned can be collected in another context, where there is nothing to
    # restore; OpenTelemetry's `detach` would log that as an error.
    with suppress(ValueError):
        token.var.reset(token)
