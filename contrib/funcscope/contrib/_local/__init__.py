"""What the local host and the testing plugin share."""

__all__: list[str] = []
