"""Metrics of invocations, and what any metric goes through on its way out."""

__all__: list[str] = []
