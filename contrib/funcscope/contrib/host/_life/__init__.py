"""An app's life on the host: loaded, served, ended, and loaded again."""

__all__: list[str] = []
