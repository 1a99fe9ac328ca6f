"""Serve HTTP as the host does: routes, requests, answers."""

__all__: list[str] = []
