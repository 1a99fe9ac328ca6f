"""Spans, log records and measurements of a test, and the result of a call."""

__all__: list[str] = []
