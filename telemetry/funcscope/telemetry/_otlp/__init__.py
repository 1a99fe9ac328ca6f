"""OTLP in protobuf, without protobuf."""

__all__: list[str] = []
