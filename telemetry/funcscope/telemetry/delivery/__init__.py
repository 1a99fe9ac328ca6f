"""
How encoded telemetry gets to a collector, and what is done when it does not.

OTLP over HTTP (OTLP specification 1.x), from bounded queues, on one thread, with a spool on
disk for what could not be sent: `_spool`, which is loaded where a folder is set for it.
"""

from funcscope.telemetry.delivery._backoff import Backoff, CircuitBreaker
from funcscope.telemetry.delivery._body import Body
from funcscope.telemetry.delivery._connection import Answer, Connection
from funcscope.telemetry.delivery._counts import Counts, SignalCounts
from funcscope.telemetry.delivery._courier import Courier
from funcscope.telemetry.delivery._deadline import Deadline
from funcscope.telemetry.delivery._outcome import (
    Delivered,
    Refused,
    Unavailable,
    outcome_of,
    outcome_of_error,
)
from funcscope.telemetry.delivery._queue import Queue
from funcscope.telemetry.delivery._route import CourierOptions, Encoder, Route, default_interval_s

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
