"""Who may call the local host."""

__all__: list[str] = []
