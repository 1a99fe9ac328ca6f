"""Configuration: app settings, host.json and Azure's variables."""

__all__: list[str] = []
