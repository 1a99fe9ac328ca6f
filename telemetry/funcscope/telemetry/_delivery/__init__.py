"""
How encoded telemetry gets to a collector, and what is done when it does not.

OTLP over HTTP (OTLP specification 1.x), from bounded queues, on one thread, with a spool on
disk for what could not be sent: `_spool`, which is loaded where a folder is set for it.
"""

from funcscope.telemetry._delivery.backoff import Backoff, CircuitBreaker
from funcscope.telemetry._delivery.body import Body
from funcscope.telemetry._delivery.options import CourierOptions, Encoder, Route, default_interval_s
from funcscope.telemetry._delivery.queue import Queue
from funcscope.telemetry._delivery.retry import (
    Delivered,
    Refused,
    Unavailable,
    outcome_of,
    outcome_of_error,
)
from funcscope.telemetry._delivery.stats import Counts, SignalCounts
from funcscope.telemetry._delivery.worker import Courier
from funcscope.telemetry._http.connection import Answer, Connection
from funcscope.telemetry._http.deadline import Deadline

__all__ = [
    "Answer",
    "Backoff",
    "Body",
    "CircuitBreaker",
    "Connection",
    "Counts",
    "Courier",
    "CourierOptions",
    "Deadline",
    "Delivered",
    "Encoder",
    "Queue",
    "Refused",
    "Route",
    "SignalCounts",
    "Unavailable",
    "default_interval_s",
    "outcome_of",
    "outcome_of_error",
]
