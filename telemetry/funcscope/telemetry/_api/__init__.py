"""What an app calls, but for what is exported at the top."""

__all__: list[str] = []
