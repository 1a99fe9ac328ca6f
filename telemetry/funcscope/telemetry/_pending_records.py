"""Log records that were made, and are looked at later and elsewhere."""

from __future__ import annotations

from contextvars import Context, ContextVar
from time import time_ns
from typing import TYPE_CHECKING, Any

from funcscope.telemetry._log_fields import thawed

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from opentelemetry.sdk._logs import ReadableLogRecord

_resolving: ContextVar[list[ReadableLogRecord] | None] = ContextVar(
    "funcscope_resolving", default=None
)


class PendingRecord:
    """
    A record with the context that it was made in.

    What the maintained handler, the SDK and our own processor make of it takes ten times as long
    as it takes to make it; all of that happens in that context, on the exporter's thread.

    Args:
        context: A copy of the context.
        fields: What `frozen` copied of the record.
        emit: Hands a record to OpenTelemetry.
    """

    __slots__ = ("_context", "_emit", "_fields", "_observed_ns")

    def __init__(
        self,
        context: Context,
        fields: dict[str, Any],
        emit: Callable[[logging.LogRecord], object],
    ) -> None:
        self._context = context
        self._fields = fields
        self._emit = emit
        self._observed_ns = time_ns()

    def resolve(self) -> list[ReadableLogRecord]:
        """Return what is to be exported of it: a record, or none."""
        found: list[ReadableLogRecord] = []
        self._context.run(self._resolve, found)
        for readable in found:
            readable.log_record.observed_timestamp = self._observed_ns
        return found

    def _resolve(self, found: list[ReadableLogRecord]) -> None:
        token = _resolving.set(found)
        try:
            self._emit(thawed(self._fields))
        finally:
            _resolving.reset(token)


def resolved_to() -> list[ReadableLogRecord] | None:
    """Return where a record goes that is being resolved here; None where none is."""
    return _resolving.get()
