"""
The SDK's batches of spans, which take the spans of invocations as they are.

Where the SDK's spans cannot be rewritten, secrets are taken out of copies on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import StatusCode

from funcscope.telemetry._redaction.redactor import DEFAULT
from funcscope.telemetry._spans.invocation_span import InvocationSpan
from funcscope.telemetry._spans.readable import after_noted_stage
from funcscope.telemetry._spans.redaction import redacted_span, rewrites_spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult

    from funcscope.telemetry._pipeline.context import Put
    from funcscope.telemetry._pipeline.tail_sampling import TailSampler
    from funcscope.telemetry._redaction.redactor import Redactor


class SpanBatches(BatchSpanProcessor):
    """
    Sends spans in batches, once it is known whether their invocation is sampled.

    Args:
        exporter: What sends them.
        tail_sampler: What decides on that; None where all are sampled.

    Attributes:
        put: Takes an invocation's span that has ended, and whether it tells of an error.
    """

    def __init__(self, exporter: SpanExporter, tail_sampler: TailSampler | None = None) -> None:
        super().__init__(exporter)
        self.put: Put = self._batch
        if tail_sampler is not None:
            self.put = tail_sampler.buffering("traces", self._batch)

    def on_end(self, span: ReadableSpan) -> None:
        """Take any other span."""
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self.put(span, span.status.status_code is StatusCode.ERROR)

    def _batch(self, item: object, is_error: bool) -> None:  # noqa: ARG002, FBT001  (as others put)
        super().on_end(cast("ReadableSpan", item))


class ReadableSpanExporter(SpanExporter):
    """
    Exports spans of invocations as what they are to others, made on the exporter's thread.

    Args:
        exporter: What sends them.
        redactor: Takes secrets out of copies, with an SDK whose spans cannot be rewritten.
    """

    def __init__(self, exporter: SpanExporter, redactor: Redactor = DEFAULT) -> None:
        self._exporter = exporter
        self._redactor = None if rewrites_spans() else redactor

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans."""
        return self._exporter.export([self._readable(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what the exporter keeps."""
        return self._exporter.force_flush(timeout_millis)

    def _readable(self, span: ReadableSpan) -> ReadableSpan:
        readable = span.to_readable() if isinstance(span, InvocationSpan) else span
        readable = after_noted_stage(readable, span)
        return readable if self._redactor is None else redacted_span(readable, self._redactor)
