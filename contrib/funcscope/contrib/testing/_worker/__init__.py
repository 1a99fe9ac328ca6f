"""Drive a library worker."""

__all__: list[str] = []
