"""
Azure Monitor (Application Insights) as a destination, live beside OTLP.

With the extra `azuremonitor` installed, the app setting `APPLICATIONINSIGHTS_CONNECTION_STRING` and
`import funcscope.auto` are enough; `configure()` is for a connection string of one's own.
"""

from funcscope.contrib.azuremonitor._configure import configure

__all__ = ["configure"]
