"""Hand what an app exports on to the user's own endpoints."""

__all__: list[str] = []
