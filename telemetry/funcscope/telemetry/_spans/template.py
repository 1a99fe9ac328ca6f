"""What is worked out once for a function, and what is asked of each of its invocations."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.trace import SpanKind

from funcscope.telemetry._config.host import route_prefix
from funcscope.telemetry._context import context_of, host_parent, host_trace_headers
from funcscope.telemetry._redaction.limited import LimitedRedactor
from funcscope.telemetry._redaction.redactor import make_redactor
from funcscope.telemetry._spans.attributes import (
    function_attributes,
    host_instance,
    invocation_attributes,
)
from funcscope.telemetry._spans.begin_context import baggage_parameter
from funcscope.telemetry._triggers.choice import describe
from funcscope.telemetry._triggers.extractor import (
    Captured,
    Description,
    Said,
    no_links,
)
from funcscope.telemetry._triggers.http import Headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span

    from funcscope.extensions import Function, Invocation
    from funcscope.telemetry._config.settings import Settings
    from funcscope.telemetry._recording.session import Session
    from funcscope.telemetry._semconv import Attributes
    from funcscope.telemetry._spans.invocation_span import Blueprint

    # Whether an invocation is a cold start, how often it was retried, and the host's id.
    Facts = tuple[bool, int, "str | None"]

NO_LINKS: Sequence[Link] = ()
ODD_TRIGGER = "the trigger of %s could not be described"

_logger = logging.getLogger("funcscope.telemetry")


@dataclass(slots=True, eq=False)
class Plan:
    """
    What does not change between a function's invocations.

    Attributes:
        description: How to describe them.
        constants: Attributes that all their spans have.
        kind: Their spans' kind.
        name: Their spans' name, where it is always the same.
        blueprint: What their spans have in common; None where the tracer makes them.
        baggage: The parameter whose request may carry baggage; None where none is read.
    """

    description: Description
    constants: Attributes
    kind: SpanKind
    name: str | None
    blueprint: Blueprint | None = None
    baggage: str | None = None

    @property
    def capture(self) -> Callable[[Invocation], object]:
        """What keeps of a trigger what describes it, or describes it at once."""
        return self.description.capture or self._describe

    def odd(self, invocation: Invocation, error: Exception) -> Said:
        """Say that a trigger could not be described, and name the span by its function."""
        _logger.error(ODD_TRIGGER, invocation.function_name, exc_info=error)
        return Said(invocation.function_name, {})

    def _describe(self, invocation: Invocation) -> Said:
        name = self.name or self.description.name(invocation)
        return Said(name, self.description.attributes(invocation))

    def tell(self, captured: object, invocation_id: str, facts: Facts) -> Told:
        """Describe an invocation by what `capture` kept of it, whenever that is wanted."""
        describe = self.description.captured
        if describe is not None and not isinstance(captured, Said):
            captured = describe(captured)
        return Told(self, cast("Captured", captured), invocation_id, facts)

    @property
    def key(self) -> Callable[[Any], object | None]:
        """What returns what all that a trigger says depends on, its name too; None: unknown."""
        return self.description.key or _unknown

    @property
    def links(self) -> Callable[[Invocation], Sequence[Link]] | None:
        """What returns links to the contexts that came with messages; None where none ever do."""
        return None if self.description.links is no_links else self._links

    def _links(self, invocation: Invocation) -> Sequence[Link]:
        try:
            return self.description.links(invocation)
        except Exception:
            _logger.exception(ODD_TRIGGER, invocation.function_name)
            return NO_LINKS


def _unknown(_captured: object) -> None:
    return None


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
            LimitedRedactor(make_redactor(settings.redact), settings.max_text_length),
        ),
    )
    is_below = session.mode.owns_request_span
    kind = SpanKind.INTERNAL if is_below else description.kind
    constants = {**function_attributes(function, environ), **description.constants}
    plan = Plan(description, constants, kind, f"function {function.name}" if is_below else None)
    plan.baggage = baggage_parameter(function, environ)
    if session.spans is not None:
        plan.blueprint = session.spans.blueprint(plan, is_redacted=description.is_redacted)
    return plan


def start_span(
    session: Session, plan: Plan, invocation: Invocation, beside: Context | None = None
) -> Span:
    """Have the tracer start the span of an invocation; its context has something beside it."""
    try:
        captured = plan.capture(invocation)
    except Exception as error:  # noqa: BLE001  (said by `odd`)
        captured = plan.odd(invocation, error)
    instance = host_instance(invocation.trace_context)
    facts = invocation.is_cold_start, invocation.retry_count, instance
    told = plan.tell(captured, invocation.id, facts)
    links = NO_LINKS if plan.links is None else plan.links(invocation)
    attributes = {**plan.constants, **told()}
    parent = context_of(host_parent(host_trace_headers(invocation.context)), beside)
    return session.tracer.start_span(told.name, parent, plan.kind, attributes, links)


class Told:
    """
    What describes one invocation, made when it is wanted.

    Args:
        plan: What does not change between the function's invocations.
        captured: What is kept of its trigger.
        invocation_id: The invocation's.
        facts: What else its own attributes are made of.
    """

    __slots__ = ("_captured", "_facts", "_id", "_plan")

    def __init__(self, plan: Plan, captured: Captured, invocation_id: str, facts: Facts) -> None:
        self._plan = plan
        self._captured = captured
        self._id = invocation_id
        self._facts = facts

    def __call__(self) -> Attributes:
        """Make all of it; what is odd about the trigger does not cost what is the invocation's."""
        try:
            said = self._captured()
        except Exception:
            _logger.exception(ODD_TRIGGER, self._plan.constants["faas.name"])
            said = {}
        return said | self.own()

    def said(self) -> Attributes:
        """Make what its trigger says."""
        return self._captured()

    def own(self) -> Attributes:
        """Make what is the invocation's own."""
        return invocation_attributes(self._id, *self._facts)

    @property
    def name(self) -> str:
        """The span's name."""
        return self._plan.name or self._captured.name
