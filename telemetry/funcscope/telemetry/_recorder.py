"""One span for each invocation, below the host's."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from opentelemetry import _logs, trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import StatusCode, set_span_in_context

from funcscope.extensions import Reject
from funcscope.telemetry._attributes import (
    function_attributes,
    invocation_attributes,
    record_exception,
)
from funcscope.telemetry._delivery import Delivery
from funcscope.telemetry._host_json import route_prefix
from funcscope.telemetry._parent import host_context
from funcscope.telemetry._scope import get_tracer
from funcscope.telemetry._settings import Settings, read_settings
from funcscope.telemetry.triggers import Attributes, Description, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from opentelemetry.trace import Link, Span, Tracer

    from funcscope.extensions import Function, Invocation, Step

T = TypeVar("T")
NO_LINKS: Sequence[Link] = ()

_logger = logging.getLogger("funcscope.telemetry")


class Recorder:
    """
    Records the invocations of this process.

    Settings are read when the first function was loaded, providers set when the first
    invocation starts: what the app set at import wins, and an environment that the host
    fills late (Linux Consumption's placeholders) is complete by then.

    Args:
        environ: The app settings.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._lock = threading.Lock()
        self._settings: Settings | None = None
        self._started: tuple[Tracer, Delivery] | None = None
        self._is_warm = False
        self._functions: dict[Function, tuple[Description, Attributes]] = {}

    def read_settings(self) -> Settings:
        """Read the settings, once, and say what is wrong with them."""
        with self._lock:
            if self._settings is None:
                self._settings = read_settings(self._environ)
                for problem in self._settings.problems:
                    _logger.error("%s", problem)
            return self._settings

    def prepare(self, function_directory: str) -> None:
        """
        Make ready when a function was loaded: name wrong settings, and load the SDK meanwhile.

        The SDK takes about 0.1 s to import, which the first invocation would wait for. A thread
        does it while the worker answers its host. In the v1 model the worker goes on importing
        the app, and two threads had better not import one package: there it is done at once.
        """
        settings = self.read_settings()
        with self._lock:
            if settings.exports_nothing or self._is_warm:
                return
            self._is_warm = True
        if (Path(function_directory) / "function.json").is_file():
            _warm_up()
        else:
            threading.Thread(target=_warm_up, name="funcscope-warm-up", daemon=True).start()

    def around(self, invocation: Invocation) -> Step:
        """Record one invocation: a span that is current while the function runs."""
        tracer, delivery = self._started or self._start()
        description, constants = self._describe(invocation.function)
        parent = host_context(invocation)
        span = tracer.start_span(
            description.name(invocation),
            parent,
            description.kind,
            {
                **constants,
                **invocation_attributes(invocation),
                **_described(invocation, description.attributes, {}),
            },
            _described(invocation, description.links, NO_LINKS),
        )
        delivery.began()
        token = attach(set_span_in_context(span, parent))
        try:
            result = yield
        except BaseException as error:
            if invocation.is_rejected and isinstance(error, Reject):
                span.set_attributes({"funcscope.rejected": True})
                _record_result(span, description, invocation, error.response)
            else:
                span.set_attributes(description.failure(error))
                record_exception(span, error)
            raise
        else:
            _record_result(span, description, invocation, result)
        finally:
            detach(token)
            span.end()
            delivery.ended()

    def _start(self) -> tuple[Tracer, Delivery]:
        """Set the providers, once, before the first function runs."""
        settings = self.read_settings()
        with self._lock:
            if self._started is None:
                if settings.exports_nothing:
                    _say_that_nothing_is_exported()
                else:
                    _set_providers(settings, self._environ)
                self._started = (get_tracer(), Delivery(_flushes()))
            return self._started

    def _describe(self, function: Function) -> tuple[Description, Attributes]:
        """Work out once what does not change between a function's invocations."""
        found = self._functions.get(function)
        if found is None:
            prefix = route_prefix(self._environ)
            description = describe(function, route_prefix=prefix, environ=self._environ)
            constants = {**function_attributes(function, self._environ), **description.constants}
            found = self._functions[function] = (description, constants)
        return found


def _load_sdk() -> ModuleType:
    """Import the SDK and its exporters, which `import funcscope.auto` leaves alone."""
    return import_module("funcscope.telemetry._providers")


def _warm_up() -> None:
    """Import the SDK ahead of time; what is wrong with it is said when it is needed."""
    with suppress(Exception):
        _load_sdk()


def _set_providers(settings: Settings, environ: Mapping[str, str]) -> None:
    """Set providers, or say once why not: invocations are not recorded then, but run."""
    try:
        _load_sdk().set_providers(settings, environ)
    except Exception:
        _logger.exception("nothing is exported: the OpenTelemetry SDK cannot be used")


def _flushes() -> list[Callable[[], object]]:
    """Return what sends the spans and log records that wait, whoever set the providers."""
    providers = (trace.get_tracer_provider(), _logs.get_logger_provider())
    return [flush for p in providers if (flush := getattr(p, "force_flush", None))]


def _say_that_nothing_is_exported() -> None:
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        _logger.info(
            "nothing is exported: set OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_TRACES_EXPORTER=console"
        )


def _described(invocation: Invocation, describe: Callable[[Invocation], T], otherwise: T) -> T:
    """Describe a trigger; an odd one costs what cannot be said of it, not the span."""
    try:
        return describe(invocation)
    except Exception:
        _logger.exception("the trigger of %s could not be described", invocation.function_name)
        return otherwise


def _record_result(
    span: Span, description: Description, invocation: Invocation, result: object
) -> None:
    outcome = description.result(invocation, result)
    span.set_attributes(outcome.attributes)
    if outcome.error_type is not None:
        span.set_attribute("error.type", outcome.error_type)
        span.set_status(StatusCode.ERROR)
