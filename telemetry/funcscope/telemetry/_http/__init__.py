"""One HTTP connection, within a deadline."""

__all__: list[str] = []
