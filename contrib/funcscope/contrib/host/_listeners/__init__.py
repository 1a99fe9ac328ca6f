"""What starts functions by itself while the host runs: messages, blobs, schedules."""

__all__: list[str] = []
