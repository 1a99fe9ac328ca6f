"""Carry invocations into threads and pools."""

__all__: list[str] = []
