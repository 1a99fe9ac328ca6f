"""Keep what is received within bounds, and serve it as a page on loopback (docs/decisions/060)."""

__all__: list[str] = []
