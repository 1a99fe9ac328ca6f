"""Finding what is wrong with an app's telemetry before it is deployed, from its files alone."""

__all__: list[str] = []
