"""Put funcscope between a worker and the functions that it runs, for each kind of worker."""

__all__: list[str] = []
