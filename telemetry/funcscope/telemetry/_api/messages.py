"""The messages of a batch, each processed in a span of its own."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar, cast

from opentelemetry.context import get_current
from opentelemetry.trace import SpanKind

from funcscope.extensions import current_invocation
from funcscope.extensions.integration import OnceLog
from funcscope.telemetry._scope import get_tracer
from funcscope.telemetry._semconv import SYSTEM_NAME
from funcscope.telemetry._spans.attributes import record_exception
from funcscope.telemetry._spans.contexts import SpanScope
from funcscope.telemetry._triggers.choice import extractor_for
from funcscope.telemetry._triggers.fields import add, read
from funcscope.telemetry._triggers.links import carriers_of, link_to
from funcscope.telemetry._triggers.table import DESTINATION

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from funcscope.extensions import Function
    from funcscope.telemetry._semconv import Attributes
    from funcscope.telemetry._triggers.extractor import TriggerExtractor
    from funcscope.telemetry._triggers.links import Carrier

T = TypeVar("T")

_logger = logging.getLogger("funcscope.telemetry")

MESSAGE_ID = "messaging.message.id"

_OF_MESSAGES = (
    "messaging.system",
    SYSTEM_NAME,
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
    cannot see what happens in the body of the loop. The invocation's span has it. One that is
    thrown into the generator is recorded.

    Args:
        batch: Messages of Service Bus, Event Hubs, Kafka or storage queues, in the types of
            `azure.functions` or of the Azure SDKs. Anything else gets a span without a link. It
            is walked as the loop asks for messages.

    Example:
        >>> for order in each_message(["a", "b"]):
        ...     print(order)
        a
        b
    """
    spans = _MessageSpans(batch)
    for message in batch:
        span = spans.start(message)
        if span is None:
            yield message
            continue
        try:
            yield message
        except GeneratorExit:  # the loop was left
            raise
        except BaseException as error:
            spans.fail(span, error)
            raise
        finally:
            spans.end(span)


class _MessageSpans:
    """
    The spans of a batch's messages; no fault of theirs reaches the loop.

    Args:
        batch: The batch. Only in a list or tuple is looked for values that all messages share,
            as anything else may be walked but once.
    """

    def __init__(self, batch: object) -> None:
        self._messages: Sequence[object] = ()
        self._scope: SpanScope | None = None
        self._started = 0
        self._once = OnceLog(_logger, logging.ERROR)
        with self._guarded():
            if isinstance(batch, (list, tuple)):
                self._messages = tuple(cast("Sequence[object]", batch))
            self._carriers = _carriers(self._messages)
            self._parent, self._tracer = get_current(), get_tracer()
            self._describe: Callable[[object], Attributes] | None = None

    def start(self, message: object) -> Span | None:
        """Start the span of the next message, and make it current; None where that fails."""
        with self._guarded():
            number, self._started = self._started, self._started + 1
            is_known = number < len(self._messages) and self._messages[number] is message
            carrier = self._carriers[number] if is_known else _carriers([message])[0]
            if self._describe is None:
                self._describe = _described(self._messages if is_known else [message])
            span = _start(self._tracer, self._parent, self._describe(message), carrier)
            self._scope = SpanScope(span, self._parent)
            return span
        return None

    def fail(self, span: Span, error: BaseException) -> None:
        """Record an error that was thrown into the generator."""
        with self._guarded():
            record_exception(span, error)

    def end(self, span: Span) -> None:
        """End a message's span, and make the span before it current again."""
        with self._guarded():
            if self._scope is not None:
                self._scope.close()
            span.end()

    @contextmanager
    def _guarded(self) -> Generator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  (logged, and the loop goes on)
            self._once.log("a message could not be given its span", error=error)


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
    """Compute the attributes that all messages share, and return a function for those of each."""
    extractor = _extractor()
    shared: Attributes = {"messaging.operation.name": "process"}
    shared["messaging.operation.type"] = "process"
    if extractor is None:
        return lambda message: {**shared, **_id(message)}
    constants = extractor.constants
    shared.update({name: constants[name] for name in _OF_MESSAGES if name in constants})
    add(shared, DESTINATION, extractor.destination(messages))
    return lambda message: {**shared, **_id(message), **extractor.message_attributes(message)}


def _id(message: object) -> Attributes:
    """Return the message's id, under the name that most kinds of message have for it."""
    attributes: Attributes = {}
    add(attributes, MESSAGE_ID, _text(read(message, "message_id")) or _text(read(message, "id")))
    return attributes


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _extractor() -> TriggerExtractor | None:
    """Return the extractor of the running function's trigger; None where that has no messages."""
    invocation = current_invocation()
    if invocation is None:
        return None
    extractor = _extractor_of(invocation.function)
    return extractor if "messaging.operation.name" in extractor.constants else None


@lru_cache(maxsize=256)
def _extractor_of(function: Function) -> TriggerExtractor:
    return extractor_for(function, route_prefix="", environ=os.environ)


def _carriers(messages: Sequence[object]) -> Sequence[Carrier]:
    with suppress(Exception):
        return carriers_of(messages)
    return [{} for _ in messages]
