"""What a call has produced."""

__all__: list[str] = []
