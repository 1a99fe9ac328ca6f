"""Log records: their fields, and how they leave."""

__all__: list[str] = []
