"""
The SDK's batches of spans, which take the spans of invocations as they are.

Where the SDK's spans cannot be rewritten, secrets are taken out of copies on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import StatusCode

from funcscope.telemetry._pipeline.context import make_exporter
from funcscope.telemetry._redaction.redactor import DEFAULT
from funcscope.telemetry._spans.invocation_span import InvocationSpan
from funcscope.telemetry._spans.redaction import redacted_span, rewrites_spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult

    from funcscope.telemetry._pipeline.context import ExportContext
    from funcscope.telemetry._pipeline.tail_sampling import TailSampler
    from funcscope.telemetry._redaction.redactor import Redactor


class SpanBatches(BatchSpanProcessor):
    """
    Sends spans in batches, and finds out on its own thread what those of invocations say.

    Args:
        exporter: What sends them.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        super().__init__(_Reading(exporter))

    def put(self, span: InvocationSpan, is_error: bool) -> None:  # noqa: ARG002, FBT001  (hot path)
        """Take a span that has ended, without looking at it."""
        self.on_end(span)


class KeptSpanBatches(SpanBatches):
    """
    Sends them once it is known whether their invocation is kept.

    Args:
        exporter: What sends them.
        kept: What decides.
    """

    def __init__(self, exporter: SpanExporter, kept: TailSampler) -> None:
        super().__init__(exporter)
        self._put = kept.buffering("traces", self._batch)

    def put(self, span: InvocationSpan, is_error: bool) -> None:  # noqa: FBT001  (hot path)
        """Hold an invocation's span that has ended."""
        self._put(span, is_error)

    def on_end(self, span: ReadableSpan) -> None:
        """Hold any other span."""
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self._put(span, span.status.status_code is StatusCode.ERROR)

    def _batch(self, item: object, is_error: bool) -> None:  # noqa: ARG002, FBT001  (as others put)
        super().on_end(cast("ReadableSpan", item))


class _Reading(SpanExporter):
    """Exports spans of invocations as what they are to others."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans."""
        return self._exporter.export(
            [span.to_readable() if isinstance(span, InvocationSpan) else span for span in spans]
        )

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what the exporter keeps."""
        return self._exporter.force_flush(timeout_millis)


def batches_of(context: ExportContext, name: str, protocol: str) -> SpanBatches:
    """
    Make what sends spans in batches with an exporter that the settings name.

    Args:
        context: What the signals share.
        name: The exporter.
        protocol: OTLP's transport, where it is OTLP's.
    """
    made = cast("SpanExporter", make_exporter(context, "traces", name, protocol))
    exporter = redacting(made, context.policies.redactor)
    kept = context.tail_sampler
    return SpanBatches(exporter) if kept is None else KeptSpanBatches(exporter, kept)


class RedactingExporter(SpanExporter):
    """Exports spans without their secrets: for an SDK whose spans cannot be rewritten."""

    def __init__(self, exporter: SpanExporter, redactor: Redactor = DEFAULT) -> None:
        self._exporter = exporter
        self._redactor = redactor

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export copies of spans."""
        return self._exporter.export([redacted_span(span, self._redactor) for span in spans])

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what the exporter keeps."""
        return self._exporter.force_flush(timeout_millis)


def redacting(exporter: SpanExporter, redactor: Redactor = DEFAULT) -> SpanExporter:
    """Return an exporter that needs no `RedactingProcessor`, where that would do nothing."""
    return exporter if rewrites_spans() else RedactingExporter(exporter, redactor)
