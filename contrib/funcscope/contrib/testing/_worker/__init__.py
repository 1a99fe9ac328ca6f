"""Call functions by the rules of a worker, Microsoft's own or a stand-in's."""

__all__: list[str] = []
