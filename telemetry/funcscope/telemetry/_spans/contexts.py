"""
The OpenTelemetry context that an invocation begins in, beside its span, and spans current in it.

Extensions that come before telemetry may attach something, and a caller may send baggage (W3C
Baggage, working draft of 2024), which no worker reads: it is read where OTEL_PROPAGATORS has
`baggage`, as it has unless set, or a configuration file's propagators have it. What was current
before the invocation is left alone: workers and functions attach contexts to threads of pools and
never detach them, so that it may be another invocation's. Baggage is handed on, and recorded only
by the names in FUNCSCOPE_BAGGAGE_KEYS.

docs/decisions/030 says why.
"""

from __future__ import annotations

import logging
import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.baggage import get_all, set_baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from funcscope.extensions.integration import plainest
from funcscope.telemetry._context import (
    HOST_KEY,
    SPAN_KEY,
    attach_context,
    current_context,
    current_context_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Span

    from funcscope.extensions import Function, Invocation
    from funcscope.telemetry._config.settings import Settings

BAGGAGE = "baggage"
_PROPAGATORS = "OTEL_PROPAGATORS"
SCOPE_KEY = "funcscope-span-scope"
"""Where a context has its innermost scope."""
_OWN_KEYS = frozenset((SPAN_KEY, HOST_KEY, SCOPE_KEY))
# What the standard allows at least, and OpenTelemetry takes at most (API 1.45).
_LONGEST, _LONGEST_ENTRY, _MOST_ENTRIES = 8192, 4096, 180
# A stricter reading than OpenTelemetry's, whose propagator logs what it cannot read.
_ENTRY = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*=[ \t]*[!#-+./0-9:<-\[\]-~-]*").fullmatch
_propagator = W3CBaggagePropagator()
_MISSING = object()

host_baggage: dict[str, Mapping[str, str]] = {}
"""What the host's messages have of baggage, by the id of an invocation that is not answered."""

_logger = logging.getLogger("funcscope.telemetry")

_readers: dict[type, Callable[[Any], Mapping[str, object]]] = {}
headers_reader = _readers.get
"""Looks up what reads the headers of requests of a class that was learned, in lower case."""


def baggage_parameter(
    function: Function, settings: Settings, environ: Mapping[str, str]
) -> str | None:
    """
    Return the parameter whose request may carry baggage; None where none is read.

    Args:
        function: The function.
        settings: What the app asks for. Where that is names of baggage, the host's messages are
            read, and the parameter is "" without a request.
        environ: The app settings.
    """
    trigger = function.trigger
    if trigger is None or not _is_propagated(settings, environ):
        return None
    if trigger.type.lower() == "httptrigger":
        return trigger.name
    return "" if settings.baggage_keys else None


def _is_propagated(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Tell whether baggage is among the propagators: a file's, in the place of the setting's."""
    file = settings.config_file
    if file is not None and not file.model.disabled:  # else its propagators are not set either
        return file.propagates(BAGGAGE)
    allowed = environ.get(_PROPAGATORS, "").strip().lower() or BAGGAGE
    return BAGGAGE in (name.strip() for name in allowed.split(","))


def begin_context(invocation: Invocation, parameter: str | None) -> Context | None:
    """
    Return what an invocation's context has beside its span; None for nothing.

    Args:
        invocation: The invocation.
        parameter: The request that may carry baggage; None where none is read.
    """
    try:
        attached = _attached(invocation)
        request = None if parameter is None else invocation.args.get(parameter)
        context = attached if request is None else _with_baggage(attached, request)
        sent = None if parameter is None else host_baggage.get(invocation.id)
        return (_with_entries(context, sent) if sent else context) or None
    except Exception:
        _logger.exception("baggage of an invocation could not be read")
        return None


def _attached(invocation: Invocation) -> Context:
    """Return what extensions have attached since the invocation began."""
    now = current_context()
    before = current_context_in(invocation.outer_context)
    if before is None or now is before:
        return Context()
    return Context(
        {
            key: value
            for key, value in now.items()
            if key not in _OWN_KEYS and before.get(key, _MISSING) is not value
        }
    )


def _with_baggage(context: Context, request: object) -> Context:
    """Add a caller's baggage; what an extension has set wins."""
    header = _headers(request).get(BAGGAGE)
    if not isinstance(header, str) or not header or len(header) > _LONGEST:
        return context
    # An entry's properties, `name=value;property`, are left out.
    entries = (entry.partition(";")[0].strip(" \t") for entry in header.split(","))
    readable = [entry for entry in entries if len(entry) <= _LONGEST_ENTRY and _ENTRY(entry)]
    sent = ",".join(readable[:_MOST_ENTRIES])
    return _with_entries(context, get_all(_propagator.extract({BAGGAGE: sent}, Context())))


def _with_entries(context: Context, baggage: Mapping[str, object]) -> Context:
    """Add entries of baggage, in their order; what is there wins."""
    own = get_all(context)
    for name, value in baggage.items():
        if name not in own:
            context = set_baggage(name, value, context)
    return context


def _headers(request: object) -> Mapping[str, object]:
    """Read a request's headers, and learn how those of its class are read."""
    read = headers_reader(type(request))
    if read is not None:
        return read(request)
    headers = cast("Any", request).headers
    plain = getattr(headers, "__http_headers__", None)
    if type(plain) is dict:  # azure.functions keeps them in lower case (1.20 to 2.3)
        place = plainest(type(request), "headers")
        _readers[type(request)] = attrgetter(f"{place}.__http_headers__")
        return cast("dict[str, object]", plain)
    return cast("Mapping[str, object]", headers)


class SpanScope:
    """
    Makes a span current, until it is closed.

    OpenTelemetry's token of a context can be given back in that context alone, and puts back what
    was current when it was taken, whatever has ended since. A generator's steps run in whichever
    context asks for the next one, and generators in step end in any order. So a scope knows what
    was current before it, is found in the context, and takes itself out of the scopes that are
    open there; where it is not among them, there is nothing to put back.

    Args:
        span: The span.
        parent: What else is current with it; None for what is current now.
    """

    __slots__ = ("_previous",)

    def __init__(self, span: Span, parent: Context | None = None) -> None:
        self._previous: Context | None = current_context()
        known = self._previous if parent is None else parent
        attach_context(Context({**known, SPAN_KEY: span, SCOPE_KEY: self}))

    def close(self) -> None:
        """Make current again what was, where this is still current; once."""
        previous, self._previous = self._previous, None  # or what follows one another piles up
        scope = _innermost(current_context())
        if previous is None or scope is None:
            return
        if scope is self:
            attach_context(previous)
            return
        while scope is not None and (outer := scope._previous) is not None:  # noqa: SLF001
            within = _innermost(outer)
            if within is self:
                scope._previous = previous  # noqa: SLF001
                return
            scope = within


def _innermost(context: Context) -> SpanScope | None:
    return cast("SpanScope | None", context.get(SCOPE_KEY))
