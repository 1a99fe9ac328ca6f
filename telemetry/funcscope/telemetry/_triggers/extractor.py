"""
The reading of triggers: a snapshot when an invocation begins, and all else from that, later.

An extractor reads the trigger of one function's invocations, as OpenTelemetry's instrumentation
API has it (docs/decisions/041).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from opentelemetry.trace import SpanKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Link, SpanContext

    from funcscope.extensions import Function, Invocation
    from funcscope.telemetry._semconv import Attributes

_CONVERSION = "funcscope.telemetry._triggers.conversion"


@dataclass(frozen=True, slots=True)
class InvocationOutcome:
    """
    How an invocation ended, as its function's result shows it.

    Attributes:
        attributes: To be added to the span.
        error_type: `error.type` where the result is an error; None where it is not.
        description: What is wrong, for people, where there is more to say.
    """

    attributes: Attributes
    error_type: str | None = None
    description: str | None = None


NO_OUTCOME = InvocationOutcome({})
"""The outcome of a result that shows nothing."""


class DescribedSnapshot(NamedTuple):
    """A snapshot of a trigger that was read in full at once."""

    name: str
    attributes: Attributes


class TriggerExtractor:
    """
    Reads the trigger of a function's invocations; here, of one whose trigger is not known.

    Args:
        function: The function.
        constants: Attributes that all its invocations have.

    Attributes:
        function: The same.
        constants: The same.
        kind: The span's kind.
        is_redacted: Whether attributes have no secrets, so that nobody need look for them again.
        is_recorded: Whether an invocation gets a span; orchestrators run again and again to
            replay their history, and would get one each time.
        has_links: Whether messages may come with contexts to link to.
        operation: The MCP operation that spans are of, where that is asked for; empty for none.
        error_attributes: Attributes that an exception, or a refused result, adds.
    """

    kind: SpanKind = SpanKind.SERVER
    is_redacted: bool = False
    is_recorded: bool = True
    has_links: bool = False
    operation: str = ""
    error_attributes: Attributes = {}  # noqa: RUF012  (never changed)

    def __init__(self, function: Function, constants: Attributes) -> None:
        self.function = function
        self._conversion: Any = None  # `Conversion`
        self.constants = constants

    def snapshot(self, invocation: Invocation) -> object:
        """
        Read what name and attributes are made of; on the invocation's thread.

        It waits with the span to be sent, so it may hold little, and nothing of the worker's.
        """
        return DescribedSnapshot(invocation.function_name, {})

    def span_name(self, snapshot: object) -> str:
        """Return the span's name."""
        return cast("DescribedSnapshot", snapshot).name

    def attributes(self, snapshot: object) -> Attributes:
        """Return what an invocation adds to the constants."""
        return cast("DescribedSnapshot", snapshot).attributes

    def cache_key(self, snapshot: object) -> object | None:  # noqa: ARG002  (others' parameter)
        """Return what name and attributes depend on; None where that is not known, or too much."""
        return None

    def links(self, invocation: Invocation) -> Sequence[Link]:  # noqa: ARG002
        """Return links to the contexts that came with messages."""
        return ()

    def parent(self, invocation: Invocation) -> SpanContext | None:  # noqa: ARG002
        """Return the caller's span, for where the host sends none; None where it tells of none."""
        return None

    def metric_attributes(self, invocation: Invocation) -> Attributes:  # noqa: ARG002
        """Return what metrics have beside the constants."""
        return {}

    def outcome(self, invocation: Invocation, result: object) -> InvocationOutcome:  # noqa: ARG002
        """Read what the function returned."""
        return NO_OUTCOME

    def original_error(self, error: BaseException) -> BaseException:
        """Return the exception that a function's was made of, where a library made one."""
        return error

    def message_attributes(self, message: object) -> Attributes:  # noqa: ARG002
        """Return the attributes of one message of a batch."""
        return {}

    def destination(self, messages: Sequence[object]) -> str | None:  # noqa: ARG002
        """Return where a batch of messages comes from; None where they do not tell."""
        return None

    def _refusal(self, invocation: Invocation, result: object) -> InvocationOutcome | None:
        """
        Return why the worker refuses what a function returned and put out; None where it does not.

        The module that knows it is loaded when it is asked.
        """
        try:
            if self._conversion is None:
                self._conversion = import_module(_CONVERSION).Conversion(self.function)
            refusal: tuple[str, str] | None = self._conversion.refusal(invocation, result)
        except Exception:  # noqa: BLE001  (a user's object, asked as the worker will ask it)
            return None
        return None if refusal is None else InvocationOutcome(self.error_attributes, *refusal)
