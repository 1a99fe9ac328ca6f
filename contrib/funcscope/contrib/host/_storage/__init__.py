"""Azure Storage as the app's bindings use it: Azurite's, or an account's."""

__all__: list[str] = []
