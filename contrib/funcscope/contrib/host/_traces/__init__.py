"""Receive, keep and show what an app exports."""

__all__: list[str] = []
