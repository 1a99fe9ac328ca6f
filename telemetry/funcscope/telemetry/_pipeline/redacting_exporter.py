"""Taking secrets out of spans on their way to an exporter, for an SDK that rewrites none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExporter

from funcscope.telemetry._redaction.redactor import DEFAULT
from funcscope.telemetry._spans.redaction import redacted_span, rewrites_spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult

    from funcscope.telemetry._redaction.redactor import Redactor


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
