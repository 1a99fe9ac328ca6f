"""Take secrets out of texts and values."""

__all__: list[str] = []
