"""Run extensions around a call."""

__all__: list[str] = []
