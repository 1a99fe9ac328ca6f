"""Write requests, traces and log lines into a terminal."""

__all__: list[str] = []
