"""
Policies for all that is recorded, before anybody exports it: sampling, redaction, correlation.

The providers that funcscope sets have them, and so have those of the plugin for tests.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanLimits, TracerProvider

from funcscope.telemetry._config.host import host_mode
from funcscope.telemetry._redaction.redactor import make_redactor
from funcscope.telemetry._semconv import read_names
from funcscope.telemetry._spans.redaction import (
    NO_LENGTHS,
    Lengths,
    RedactingProcessor,
    rewrites_spans,
)
from funcscope.telemetry._spans.sampling import HostFlagSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import Sampler

    from funcscope.telemetry._config.host import HostMode
    from funcscope.telemetry._config.settings import Settings
    from funcscope.telemetry._logs.capture import LogCapture
    from funcscope.telemetry._logs.records import LogSnapshot
    from funcscope.telemetry._redaction.redactor import Redactor


class Policies:
    """
    The policies that settings ask for.

    Args:
        settings: What the app asks for.
        environ: The app settings.
        mode: What the host does itself; None to find it out.

    Attributes:
        redactor: Takes secrets out, and shortens texts.
    """

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], mode: HostMode | None = None
    ) -> None:
        self._settings = settings
        self._environ = environ
        mode = mode or host_mode(settings, environ)
        self._is_flag_honoured = mode.honours(settings.parent_flag)
        self.redactor: Redactor = make_redactor(settings.redact, settings.max_text_length)

    def sampler(self, chosen: Sampler) -> Sampler:
        """Return a sampler that decides by another one, and knows the host's unsampled flag."""
        return HostFlagSampler(chosen, is_honoured=self._is_flag_honoured)

    def span_processor(self, lengths: Lengths | None = None) -> SpanProcessor:
        """Make the processor that redacts spans, and cuts their texts in the provider's place."""
        return RedactingProcessor(self.redactor, lengths or _span_limits()[1])

    def capture_logs(
        self,
        provider: LoggerProvider,
        processors: Iterable[LogRecordProcessor],
        put: Callable[[LogSnapshot, bool], object] | None = None,
    ) -> tuple[LogRecordProcessor, LogCapture]:
        """
        Make what brings `logging`'s records to a provider.

        Args:
            provider: One of `logger_provider`.
            processors: What does something with records that are complete and hold no secrets.
            put: Takes records that are to be sent, in the provider's place; None where it does.

        Returns:
            The one processor that the provider is to have, and what takes records once started.
        """
        # Here, as an app that exports no log records need not have them.
        from funcscope.telemetry._logs.capture import LogCapture
        from funcscope.telemetry._logs.claims import OneWay, RecordClaims
        from funcscope.telemetry._logs.processor import CorrelatingProcessor

        claims, names = RecordClaims(), read_names(self._environ)
        processor = OneWay(claims, (CorrelatingProcessor(self.redactor, names), *processors))
        return processor, LogCapture.of(provider, self._settings, self._environ, claims, put)


def tracer_provider(resource: Resource, environ: Mapping[str, str] = os.environ) -> TracerProvider:
    """Make a tracer provider with limits, and the sampler and ids that the settings name."""
    limits, _ = _span_limits()
    sampler, ids = _registered(environ)
    return TracerProvider(
        sampler, resource, shutdown_on_exit=False, id_generator=ids, span_limits=limits
    )


def _registered(environ: Mapping[str, str]) -> tuple[Sampler | None, IdGenerator | None]:
    """Make the sampler and the ids that are none of the SDK's; None where they are."""
    if not (environ.get("OTEL_TRACES_SAMPLER") or environ.get("OTEL_PYTHON_ID_GENERATOR")):
        return None, None
    from funcscope.telemetry._plugins import make_id_generator, make_sampler

    return make_sampler(environ), make_id_generator(environ)


def logger_provider(resource: Resource) -> LoggerProvider:
    """Make a logger provider, with limits."""
    from opentelemetry.sdk._logs import LoggerProvider

    from funcscope.telemetry._logs.processor import record_limits

    return LoggerProvider(resource=resource, shutdown_on_exit=False, **record_limits())


def _span_limits() -> tuple[SpanLimits, Lengths]:
    """
    Return the limits for a provider, and those that redaction applies in its place.

    The SDK cuts a text when it is set, and what is left of a secret may not look like one any more.
    """
    limits = SpanLimits()
    if not rewrites_spans():
        return limits, NO_LENGTHS
    unset = SpanLimits.UNSET
    lengths = Lengths(limits.max_span_attribute_length, limits.max_attribute_length)
    return SpanLimits(max_attribute_length=unset, max_span_attribute_length=unset), lengths
