"""The spans of invocations."""

__all__: list[str] = []
