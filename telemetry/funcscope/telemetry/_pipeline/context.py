"""
The context in which the signals' pipelines are built: settings, policies, delivery, exporters.

docs/decisions/042 says why.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from funcscope.telemetry._config.otlp import GRPC, HTTP, NEEDS
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._integrations import EXPORTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    from funcscope.telemetry._config.settings import Settings, SignalSettings
    from funcscope.telemetry._delivery.delivery import Delivery
    from funcscope.telemetry._pipeline.policies import Policies
    from funcscope.telemetry._pipeline.tail_sampling import TailSampler
    from funcscope.telemetry._values.exceptions import ExceptionText

    Put = Callable[[object, bool], object]

T = TypeVar("T")

_OTLP: Mapping[str, tuple[str, str]] = {  # below the protocol's package
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
}
_CONSOLE: Mapping[str, tuple[str, str]] = {
    "traces": ("opentelemetry.sdk.trace.export", "ConsoleSpanExporter"),
    "logs": ("opentelemetry.sdk._logs.export", "ConsoleLogRecordExporter"),
    "metrics": ("opentelemetry.sdk.metrics.export", "ConsoleMetricExporter"),
}

_logger = logging.getLogger("funcscope.telemetry")


class SignalPipeline(NamedTuple):
    """
    One signal's provider, set by funcscope, and the calls that send its telemetry.

    Attributes:
        provider: The provider.
        exporters: The names of the exporters that could be made.
        flushes: Each sends spans or log records that go to an integration, and may block.
        shutdown: Sends all else when the process ends; None where delivery and
            integrations send everything, so that the provider needs no flush, either.
        collect: Collects the metrics that go through the delivery or to the console.
        collect_elsewhere: Collects and sends the others, which may be slow, when the app is idle.
        ends: The same at the end of the process, where that is something else, as to shut down an
            exporter that somebody has registered; each may block.
        put_exception: Takes an invocation's exception as a log record that waits; False where it
            does not.
    """

    provider: object
    exporters: tuple[str, ...] = ()
    flushes: Sequence[Callable[[], object]] = ()
    shutdown: Callable[[], object] | None = None
    collect: Callable[[], object] | None = None
    collect_elsewhere: Callable[[], object] | None = None
    ends: Sequence[Callable[[], object]] = ()
    put_exception: Callable[[ExceptionText], bool] | None = None


class ExportContext(NamedTuple):
    """
    The common ground of all signals' pipelines.

    Attributes:
        settings: What the app asks for.
        environ: The app settings.
        resource: The resource of their telemetry.
        policies: Sampling, redaction and correlation, before anybody exports.
        delivery: Sends over OTLP/HTTP.
        tail_sampler: Decides which invocations are exported; None where all are.
        span_processors: Those that the app adds to the tracer provider.
        host_has_failures: Whether the host sends functions' exceptions to the Azure Monitor that
            funcscope exports to.
    """

    settings: Settings
    environ: Mapping[str, str]
    resource: Resource
    policies: Policies
    delivery: Delivery
    tail_sampler: TailSampler | None
    span_processors: Sequence[SpanProcessor] = ()
    host_has_failures: bool = False

    def is_queued(self, signal: str, exporter: str) -> bool:
        """Tell whether what an exporter gets of a signal goes through a queue of ours."""
        return exporter == "otlp" and self.settings.signals[signal].otlp is not None

    def put(self, signal: str, weigh: Callable[[object], int] | None = None) -> Put:
        """Return the call that queues a signal's items, once they are known to be sampled."""
        put = cast("Put", self.delivery.queue(signal).put)
        return put if self.tail_sampler is None else self.tail_sampler.buffering(signal, put, weigh)

    def pipeline(
        self,
        signal: str,
        provider: TracerProvider | LoggerProvider,
        processors: Mapping[str, SpanProcessor | LogRecordProcessor],
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
        send_all = all(self.is_queued(signal, e) or e in EXPORTERS for e in wanted.exporters)
        return SignalPipeline(
            provider,
            tuple(processors),
            [each.force_flush for name, each in processors.items() if name in EXPORTERS],
            None if send_all and not has_others else provider.shutdown,
        )


def each_exporter(signal: str, names: Sequence[str], make: Callable[[str], T]) -> dict[str, T]:
    """Make a part for each exporter of a signal; one that cannot be made costs itself alone."""
    exporters: dict[str, T] = {}
    for name in names:
        try:
            exporters[name] = make(name)
        except TelemetryError as error:
            _logger.error("%s do not go to %s: %s", signal, name, error)  # noqa: TRY400  (says all)
        except Exception:
            _logger.exception("%s do not go to %s", signal, name)
    return exporters


def make_exporter(context: ExportContext, signal: str, name: str, protocol: str) -> object:
    """
    Make the exporter of a signal that the settings name.

    Args:
        context: What the signals share.
        signal: `traces`, `logs` or `metrics`.
        name: `otlp`, `console`, an integration's, or one that another package has registered.
        protocol: OTLP's transport, where it is OTLP's.

    Raises:
        TelemetryError: It is OTLP's, and its package cannot be imported; or it is not registered.
    """
    if name in EXPORTERS:
        return cast("object", import_module(EXPORTERS[name]).make_exporter(signal, context))
    if name == "console":
        return _instance(*_CONSOLE[signal])
    if name != "otlp":
        from funcscope.telemetry._plugins import make_exporter as make_registered  # seldom needed

        return make_registered(signal, name)
    module, class_name = _OTLP[signal]
    package = GRPC if protocol == "grpc" else HTTP
    try:
        return _instance(f"{package}.{module}", class_name)
    except ImportError as error:
        raise TelemetryError(f"{NEEDS[package]} ({error})") from error


def _instance(module: str, class_name: str) -> object:
    return cast("object", getattr(import_module(module), class_name)())
