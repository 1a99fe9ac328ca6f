"""From a trigger to a span's name, kind, attributes and links."""

__all__: list[str] = []
