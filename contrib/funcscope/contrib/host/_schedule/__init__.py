"""Timer triggers: when their functions run, and what they are told."""

__all__: list[str] = []
