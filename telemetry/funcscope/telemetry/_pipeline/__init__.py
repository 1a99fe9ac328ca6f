"""Providers, processors and exporters, and their flush."""

__all__: list[str] = []
