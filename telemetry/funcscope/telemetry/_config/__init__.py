"""What the app settings, host.json and Azure say."""

__all__: list[str] = []
