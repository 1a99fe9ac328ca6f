"""Shared ground of the local host and the testing plugin: apps, payloads and trace context."""

__all__: list[str] = []
