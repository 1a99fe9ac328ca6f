"""What each trigger says of an invocation: name, kind, attributes and links, as pure functions."""

__all__: list[str] = []
