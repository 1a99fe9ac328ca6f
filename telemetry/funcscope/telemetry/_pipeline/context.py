"""What all signals share when their pipelines are built, and what each of these consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from funcscope.telemetry._integrations import EXPORTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

    from funcscope.telemetry._config.settings import Settings, SignalSettings
    from funcscope.telemetry._delivery.worker import ExportWorker
    from funcscope.telemetry._pipeline.tail_sampling import KeptInvocations
    from funcscope.telemetry._redaction.redactor import Redactor
    from funcscope.telemetry._values.exceptions import ExceptionText

    Put = Callable[[object, bool], object]


class Provider(Protocol):
    """A provider of the SDK's, as far as its end goes."""

    def shutdown(self) -> object:
        """Send what there is, and take no more."""
        ...


class Processor(Protocol):
    """A processor of the SDK's, as far as its flush goes."""

    def force_flush(self) -> object:
        """Send what there is; it may block."""
        ...


class SignalPipeline(NamedTuple):
    """
    One signal's provider of ours, and what is to be called of it.

    Attributes:
        provider: The provider.
        exporters: The names of the exporters that could be made.
        flushes: What sends the spans or log records that go to integrations; each may block.
        shutdown: What sends the rest when the process ends; None where the export worker and
            integrations send everything, so that the provider needs no flush, either.
        collect: What collects the metrics that go through the worker or to the console.
        collect_elsewhere: What collects and sends those that go to integrations, which may be slow.
        put_exception: What takes an invocation's exception as a log record that waits, and tells
            whether it does.
    """

    provider: object
    exporters: tuple[str, ...] = ()
    flushes: Sequence[Callable[[], object]] = ()
    shutdown: Callable[[], object] | None = None
    collect: Callable[[], object] | None = None
    collect_elsewhere: Callable[[], object] | None = None
    put_exception: Callable[[ExceptionText], bool] | None = None


class ExportContext(NamedTuple):
    """
    What all signals' pipelines share.

    Attributes:
        settings: What the app asks for.
        environ: The app settings.
        resource: What their telemetry is of.
        redactor: Takes secrets out of it.
        worker: What sends over OTLP/HTTP.
        tail_sampler: What decides which invocations to keep; None where all are.
        span_processors: What the app adds to the tracer provider.
        is_flag_honoured: Whether the host's unsampled flag is meant.
        host_has_failures: Whether the host sends functions' exceptions to our Azure Monitor.
    """

    settings: Settings
    environ: Mapping[str, str]
    resource: Resource
    redactor: Redactor
    worker: ExportWorker
    tail_sampler: KeptInvocations | None
    span_processors: Sequence[SpanProcessor] = ()
    is_flag_honoured: bool = False
    host_has_failures: bool = False

    def is_queued(self, signal: str, exporter: str) -> bool:
        """Tell whether what an exporter gets of a signal goes through the worker's queue."""
        return exporter == "otlp" and self.settings.signals[signal].otlp is not None

    def put(self, signal: str, weigh: Callable[[object], int] | None = None) -> Put:
        """Return what takes a signal's items to the worker, once it is known that they are kept."""
        put = cast("Put", self.worker.queue(signal).put)
        return put if self.tail_sampler is None else self.tail_sampler.holding(signal, put, weigh)

    def pipeline(
        self,
        signal: str,
        provider: Provider,
        processors: Mapping[str, Processor],
        *,
        has_others: bool = False,
    ) -> SignalPipeline:
        """
        Make the pipeline of spans or of log records.

        Args:
            signal: The signal.
            provider: Its provider.
            processors: What sends, by the names of the exporters.
            has_others: Whether the provider has processors of the app's.
        """
        wanted: SignalSettings = self.settings.signals[signal]
        are_ours = all(self.is_queued(signal, e) or e in EXPORTERS for e in wanted.exporters)
        return SignalPipeline(
            provider,
            tuple(processors),
            [each.force_flush for name, each in processors.items() if name in EXPORTERS],
            None if are_ours and not has_others else provider.shutdown,
        )
