"""
Delivery of telemetry to a collector, and its retries.

OTLP over HTTP (OTLP specification 1.x), from bounded queues, on one thread, with a spool on
disk for what could not be sent: `spool`, which is loaded where a folder is set for it.
"""

__all__: list[str] = []
