"""Record invocations."""

__all__: list[str] = []
