"""Drive a library worker: its messages, its triggers, its invocations."""

__all__: list[str] = []
