"""What functions get of triggers and inputs, and what is made of their outputs."""

__all__: list[str] = []
