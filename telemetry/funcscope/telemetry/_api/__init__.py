"""The functions and classes that apps use, which the package's face exports."""

__all__: list[str] = []
