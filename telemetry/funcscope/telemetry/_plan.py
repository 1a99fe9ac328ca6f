"""What is worked out once for a function, and what is asked of each of its invocations."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from funcscope.telemetry._attributes import function_attributes, invocation_attributes
from funcscope.telemetry._headers import Headers
from funcscope.telemetry._host_json import route_prefix
from funcscope.telemetry._parent import context_of
from funcscope.telemetry._redaction import make_redactor
from funcscope.telemetry.triggers import Attributes, Description, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.trace import Link, Span, SpanContext

    from funcscope.extensions import Context, Function, Invocation
    from funcscope.telemetry._invocation_span import Blueprint
    from funcscope.telemetry._session import Session
    from funcscope.telemetry._settings import Settings

NO_LINKS: Sequence[Link] = ()
ODD_TRIGGER = "the trigger of %s could not be described"

_logger = logging.getLogger("funcscope.telemetry")


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What does not change between a function's invocations.

    Attributes:
        description: How to describe them.
        constants: Attributes that all their spans have.
        kind: Their spans' kind.
        name: Their spans' name, where it is always the same.
        blueprint: What their spans have in common; None where the tracer makes them.
    """

    description: Description
    constants: Attributes
    kind: SpanKind
    name: str | None
    blueprint: Blueprint | None


def make_plan(
    session: Session, settings: Settings, environ: Mapping[str, str], function: Function
) -> Plan:
    """Work out what does not change between a function's invocations."""
    description = describe(
        function,
        route_prefix=route_prefix(environ),
        environ=environ,
        max_links=settings.max_links,
        headers=Headers(
            settings.capture_request_headers,
            settings.capture_response_headers,
            make_redactor(settings.redact),
        ),
    )
    is_below = session.mode.owns_request_span
    kind = SpanKind.INTERNAL if is_below else description.kind
    constants = {**function_attributes(function, environ), **description.constants}
    return Plan(
        description,
        constants,
        kind,
        name=f"function {function.name}" if is_below else None,
        blueprint=None
        if session.spans is None
        else session.spans.blueprint(kind, constants, is_redacted=description.is_redacted),
    )


def start_span(
    session: Session, plan: Plan, invocation: Invocation, parent: SpanContext | None
) -> Span:
    """Start the span of an invocation."""

    def tell() -> tuple[str, Told, Sequence[Link]]:
        description = plan.description
        name = plan.name or description.name(invocation)
        said = _captured(invocation, description)
        own = (invocation.id, invocation.context, invocation.is_cold_start)
        return name, Told(said, *own), _links(invocation, description)

    if plan.blueprint is not None and session.spans is not None:
        span = session.spans.start(plan.blueprint, parent, tell)
        if span is not None:
            return span
    name, describe_own, links = tell()
    attributes = {**plan.constants, **_described(describe_own, invocation)}
    return session.tracer.start_span(name, context_of(parent), plan.kind, attributes, links)


class Told:
    """
    What describes one invocation, made when it is wanted.

    Args:
        said: Makes what its trigger says.
        invocation_id: Its id.
        context: The worker's context.
        is_cold_start: Whether it is the first of the process.

    Attributes:
        said: Makes what its trigger says.
    """

    __slots__ = ("_context", "_id", "_is_cold_start", "said")

    def __init__(
        self,
        said: Callable[[], Attributes],
        invocation_id: str,
        context: Context,
        is_cold_start: bool,  # noqa: FBT001  (hot path)
    ) -> None:
        self.said = said
        self._id = invocation_id
        self._context = context
        self._is_cold_start = is_cold_start

    def __call__(self) -> Attributes:
        """Make all of it; what is odd about the trigger does not cost what is the invocation's."""
        try:
            said = self.said()
        except Exception:
            _logger.exception(ODD_TRIGGER, self._context.function_name)
            said = {}
        return said | self.own()

    def own(self) -> Attributes:
        """Make what is the invocation's own."""
        return invocation_attributes(self._id, self._context, is_cold_start=self._is_cold_start)

    @property
    def key(self) -> object | None:
        """What all that the trigger says depends on; None where that is not known."""
        return getattr(self.said, "key", None)


def _captured(invocation: Invocation, description: Description) -> Callable[[], Attributes]:
    """Keep what describes a trigger, or describe it now; an odd one costs that, not the span."""
    try:
        if description.capture is not None:
            return description.capture(invocation)
        said = description.attributes(invocation)
    except Exception:
        _logger.exception(ODD_TRIGGER, invocation.function_name)
        said = {}
    return lambda: said


def _described(describe: Callable[[], Attributes], invocation: Invocation) -> Attributes:
    try:
        return describe()
    except Exception:
        _logger.exception(ODD_TRIGGER, invocation.function_name)
        return {}


def _links(invocation: Invocation, description: Description) -> Sequence[Link]:
    try:
        return description.links(invocation)
    except Exception:
        _logger.exception(ODD_TRIGGER, invocation.function_name)
        return NO_LINKS
