"""
FastAPI's own telemetry, which needs no instrumentation: a server span, a metric, events.

FastAPI records a request as soon as providers are set, with what the headers say as its parent
(FastAPI 0.165, `telemetry/_asgi.py`). In an invocation that is a second server span, a second
`http.server.request.duration` and a second record of each failure, so it is given a configuration
that leaves these to the invocation. The spans of dependencies and endpoints, and its event for
requests that are not valid, stay.
"""

from __future__ import annotations

import copy
import logging
from functools import wraps
from typing import TYPE_CHECKING, Any

import wrapt
from opentelemetry import _logs, trace

from funcscope.contrib.web._joined_span import JoinedSpan
from funcscope.contrib.web._served import framework_request
from funcscope.telemetry.integration import recorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType

_MODULE = "fastapi.telemetry._asgi"
_CALL = "__call__"
_JOINED = "_funcscope_joined"
_FAILURE = "http.server.request.exception"

_logger = logging.getLogger("funcscope.telemetry")


def join_fastapi() -> None:
    """Make FastAPI's server spans, where its version makes them, the invocation's."""
    wrapt.register_post_import_hook(_join, _MODULE)


def _join(module: ModuleType) -> None:
    kind: type[Any] = getattr(module, "NativeTelemetry", object)
    if callable(dict[str, object](vars(kind)).get(_CALL)):
        setattr(kind, _CALL, _recording(getattr(kind, _CALL)))
    else:
        _logger.warning("FastAPI makes spans beside the invocation's: it is not as expected")


def _recording(record: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """
    Make what records a request within what the invocation records of it.

    A plain function, which others' wrappers may call through the class, and be beneath.
    """

    @wraps(record)
    async def recording(self: object, *args: object, **kwargs: object) -> None:
        joined = None if framework_request() is None else _joined(self)
        await record(self if joined is None else joined, *args, **kwargs)

    return recording


def _joined(telemetry: Any) -> Any | None:
    """Return an app's telemetry with a configuration of ours, made once; None where it is odd."""
    try:
        known: Any = getattr(telemetry, _JOINED, None)
        if known is None:
            known = copy.copy(telemetry)
            known.config = _configuration(telemetry.config)
            setattr(telemetry, _JOINED, known)
    except Exception:
        _logger.exception("FastAPI makes spans beside the invocation's")
        return None
    return known


def _configuration(config: dict[str, Any]) -> dict[str, Any]:
    tracers = config["tracer_provider"] or trace.get_tracer_provider()
    loggers = config["logger_provider"] or _logs.get_logger_provider()
    return {
        **config,
        "metrics": config["metrics"] and recorder().session.read_settings().record_metrics == "off",
        "tracer_provider": _Tracers(tracers) if _is_set(tracers) else None,
        "logger_provider": _Loggers(loggers) if _is_set(loggers) else None,
    }


def _is_set(provider: object) -> bool:
    """Tell a provider from the API's stand-ins, which FastAPI knows and leaves alone."""
    return not type(provider).__module__.startswith("opentelemetry.") or type(
        provider
    ).__module__.startswith("opentelemetry.sdk.")


class _Tracers(trace.TracerProvider):
    """A provider whose tracers make no server span for the invocation's request."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._provider = provider

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:  # the interface's
        return _Tracer(self._provider.get_tracer(*args, **kwargs))


class _Tracer(trace.Tracer):
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def start_span(self, *args: Any, **kwargs: Any) -> trace.Span:  # the interface's
        request = framework_request()
        is_server = kwargs.get("kind") is trace.SpanKind.SERVER
        if request is not None and is_server and not request.is_joined:
            return JoinedSpan(request)
        return self._tracer.start_span(*args, **kwargs)

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:  # the interface's
        return self._tracer.start_as_current_span(*args, **kwargs)


class _Loggers(_logs.LoggerProvider):
    """A provider whose loggers leave the request's failure to the invocation."""

    def __init__(self, provider: _logs.LoggerProvider) -> None:
        self._provider = provider

    def get_logger(self, *args: Any, **kwargs: Any) -> _logs.Logger:  # the interface's
        return _Logger(self._provider.get_logger(*args, **kwargs))


class _Logger(_logs.Logger):
    def __init__(self, logger: _logs.Logger) -> None:
        super().__init__("fastapi")
        self._logger = logger

    def emit(self, *args: Any, **kwargs: Any) -> None:  # the interface's
        if kwargs.get("event_name") != _FAILURE or framework_request() is None:
            self._logger.emit(*args, **kwargs)

    def enabled(self, **kwargs: Any) -> bool:  # the interface's
        return self._logger.enabled(**kwargs)
