"""
How encoded telemetry gets to a collector, and what is done when it does not.

OTLP over HTTP (OTLP specification 1.x), from bounded queues, on one thread, with a spool on
disk for what could not be sent: `spool`, which is loaded where a folder is set for it.
"""

__all__: list[str] = []
