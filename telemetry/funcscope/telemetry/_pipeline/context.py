"""What the providers are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from funcscope.telemetry._integrations import EXPORTERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

    from funcscope.telemetry._config.settings import Settings, SignalSettings
    from funcscope.telemetry._pipeline.pipeline import Pipeline
    from funcscope.telemetry._redaction.redactor import Redactor


class Provider(Protocol):
    """A provider of the SDK's, as far as its end goes."""

    def shutdown(self) -> object:
        """Send what there is, and take no more."""
        ...


class ExportContext(NamedTuple):
    """
    What all providers of ours share.

    Attributes:
        settings: What the app asks for.
        environ: The app settings.
        pipeline: What sends over OTLP/HTTP.
        resource: What their telemetry is of.
        redactor: Takes secrets out of it.
        span_processors: What the app adds to the tracer provider.
        is_honoured: Whether the host's unsampled flag is meant.
        has_host_failures: Whether the host sends functions' exceptions to our Azure Monitor.
    """

    settings: Settings
    environ: Mapping[str, str]
    pipeline: Pipeline
    resource: Resource
    redactor: Redactor
    span_processors: Sequence[SpanProcessor]
    is_honoured: bool
    has_host_failures: bool = False

    def is_carried(self, signal: str, exporter: str) -> bool:
        """Tell whether an exporter's signal goes through the courier."""
        return exporter == "otlp" and signal in self.pipeline.signals

    def note(
        self, name: str, signal: SignalSettings, provider: Provider, *, has_others: bool = False
    ) -> None:
        """
        Note who sends what a provider of ours has: courier and integrations, or others too.

        Args:
            name: The signal.
            signal: How it leaves.
            provider: The provider.
            has_others: Whether it has processors of the app's.
        """
        ours = (self.is_carried(name, e) or e in EXPORTERS for e in signal.exporters)
        if not has_others and all(ours):
            self.pipeline.carried.append(provider)
        else:
            self.pipeline.end_with(provider.shutdown)
