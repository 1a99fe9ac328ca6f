"""An in-memory task hub, for Durable Functions of the SDK's version 1 on the local host."""

__all__: list[str] = []
