"""What one trigger family says of a function's invocations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.trace import Link, SpanKind

    from funcscope.extensions import Invocation
    from funcscope.telemetry._semconv import Attributes


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What a function's result says of the invocation.

    Attributes:
        attributes: To be added to the span.
        error_type: `error.type` where the result is an error; None where it is not.
        description: What is wrong, for people, where there is more to say.
    """

    attributes: Attributes
    error_type: str | None = None
    description: str | None = None


class Captured(Protocol):
    """What is kept of a trigger, to describe it later, if that is wanted."""

    @property
    def name(self) -> str:
        """The span's name."""
        ...

    def __call__(self) -> Attributes:
        """Describe it."""
        ...


class Said(NamedTuple):
    """What was said of a trigger at once."""

    name: str
    attributes: Attributes

    def __call__(self) -> Attributes:
        """Say it."""
        return self.attributes


def no_attributes(_invocation: Invocation) -> Attributes:
    """Add nothing."""
    return {}


def no_links(_invocation: Invocation) -> Sequence[Link]:
    """Link to nothing."""
    return ()


NOTHING = Outcome({})
"""What is said of a result that says nothing."""


def plain_result(_invocation: Invocation, _result: object) -> Outcome:
    """Find nothing in the result: the function returned, so it succeeded."""
    return NOTHING


def no_message_attributes(_message: object) -> Attributes:
    """Say nothing of a message."""
    return {}


def no_destination(_messages: Sequence[object]) -> str | None:
    """Know of no place that messages come from."""
    return None


def plain_failure(_error: BaseException) -> Attributes:
    """Add nothing to what is said of any exception."""
    return {}


def same_error(error: BaseException) -> BaseException:
    """Take an exception for what it is."""
    return error


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """
    How to describe one function's invocations.

    Attributes:
        kind: The span's kind.
        constants: Attributes that all its invocations have.
        name: Makes the span's name from an invocation.
        attributes: Makes what an invocation adds.
        capture: Keeps what name and attributes are made of, which must not be much; None
            where they are made at once.
        captured: Describes what `capture` kept, when that is wanted.
        key: Returns what all depends on that is said of what `capture` kept, the name too; None
            where that is not known, or too much.
        measured: Reads what metrics tell the invocation's series by.
        links: Makes links to the contexts that came with its messages.
        result: Reads what the function returned.
        failure: Makes what an exception adds.
        raised: Returns the exception that a function's was made of, where a library made one.
        message: Makes what is said of one message of a batch.
        destination: Reads where a batch of messages comes from, where they tell.
        is_redacted: Whether what it says has no secrets, so that nobody need look again.
        is_recorded: Whether an invocation gets a span; orchestrators run again and again to
            replay their history, and would get one each time.
    """

    kind: SpanKind
    constants: Mapping[str, str | bool | int | float | tuple[str, ...]]
    name: Callable[[Invocation], str]
    attributes: Callable[[Invocation], Attributes] = no_attributes
    capture: Callable[[Invocation], object] | None = None
    captured: Callable[[Any], Captured] | None = None  # takes whatever `capture` returns
    key: Callable[[Any], object | None] | None = None
    measured: Callable[[Invocation], Attributes] = no_attributes
    links: Callable[[Invocation], Sequence[Link]] = no_links
    result: Callable[[Invocation, object], Outcome] = plain_result
    failure: Callable[[BaseException], Attributes] = plain_failure
    raised: Callable[[BaseException], BaseException] = same_error
    message: Callable[[object], Attributes] = no_message_attributes
    destination: Callable[[Sequence[object]], str | None] = no_destination
    is_redacted: bool = False
    is_recorded: bool = True
