"""One span for each invocation, below the host's."""

from __future__ import annotations

import logging
import os
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry import _logs, trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import StatusCode, set_span_in_context

from funcscope.telemetry._attributes import (
    exception_attributes,
    function_attributes,
    invocation_attributes,
    message,
    type_name,
)
from funcscope.telemetry._delivery import Delivery
from funcscope.telemetry._host_json import route_prefix
from funcscope.telemetry._parent import host_context
from funcscope.telemetry._scope import get_tracer
from funcscope.telemetry._settings import Settings, read_settings
from funcscope.telemetry.triggers import Attributes, Description, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from opentelemetry.trace import Span, Tracer

    from funcscope.extensions import Function, Invocation, Step

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
        self._is_warming_up = False
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

        The SDK takes about 0.1 s to import, which the first invocation would wait for. In the v1
        model the worker goes on importing the app, and two threads must not import one package
        at a time; there the first invocation does it.
        """
        settings = self.read_settings()
        is_v1 = (Path(function_directory) / "function.json").is_file()
        with self._lock:
            if settings.exports_nothing or is_v1 or self._is_warming_up:
                return
            self._is_warming_up = True
        threading.Thread(target=_load_sdk, name="funcscope-warm-up", daemon=True).start()

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
                **description.attributes(invocation),
            },
        )
        delivery.began()
        token = attach(set_span_in_context(span, parent))
        try:
            result = yield
        except BaseException as error:
            _record_failure(span, description, error)
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
                    _load_sdk().set_providers(settings, self._environ)
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


def _flushes() -> list[Callable[[], object]]:
    """Return what sends the spans and log records that wait, whoever set the providers."""
    providers = (trace.get_tracer_provider(), _logs.get_logger_provider())
    return [flush for p in providers if (flush := getattr(p, "force_flush", None))]


def _say_that_nothing_is_exported() -> None:
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        _logger.info(
            "nothing is exported: set OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_TRACES_EXPORTER=console"
        )


def _record_result(
    span: Span, description: Description, invocation: Invocation, result: object
) -> None:
    outcome = description.result(invocation, result)
    span.set_attributes(outcome.attributes)
    if outcome.error_type is not None:
        span.set_attribute("error.type", outcome.error_type)
        span.set_status(StatusCode.ERROR)


def _record_failure(span: Span, description: Description, error: BaseException) -> None:
    if not span.is_recording():
        return
    span.set_attributes(description.failure(error))
    span.set_attribute("error.type", type_name(error))
    span.set_status(StatusCode.ERROR, message(error))
    span.add_event("exception", exception_attributes(error))
