"""An app's objects, as values that can be exported: plain, and within bounds."""

__all__: list[str] = []
