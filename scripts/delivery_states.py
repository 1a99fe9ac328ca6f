"""The life of an item of telemetry: docs/reference/delivery.md is made of it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from funcscope.telemetry._delivery.stats import Reason, Step


class Transition(NamedTuple):
    """
    One step in the life of an item.

    Attributes:
        before: The state that it leaves.
        after: The state that it is in then.
        counted: The count in `SignalCounts` that it adds to, or the reason for which it is
            dropped; empty for none.
        when: What makes it so.
    """

    before: str
    after: str
    counted: Step | Reason | Literal[""]
    when: str


STATES = MappingProxyType(
    {
        "queued": "in its signal's queue",
        "encoded": "in memory, in a request",
        "in flight": "in a request that its destination has not answered yet",
        "set aside": "in a request, in memory or on disk, that lets others go first",
        "spooled": "in a request on disk",
        "leased": "in a request on disk that one process alone may send",
        "sent": "taken by its destination",
        "dropped": "lost, and counted",
    }
)
"""The states of an item between its recording and its end, and what they mean."""

_ROWS: tuple[tuple[str, str, Step | Reason | Literal[""], str], ...] = (
    ("queued", "encoded", "queued", "its worker makes a request; metrics come as requests"),
    ("queued", "dropped", "queue_full", "the queue is full, and its policy says that it goes"),
    ("queued", "dropped", "encode", "its encoding fails"),
    ("queued", "dropped", "shutdown", "the process ends"),
    ("encoded", "in flight", "", "it is the oldest"),
    ("encoded", "in flight", "retried", "it is the oldest, and was not taken before"),
    (
        "encoded",
        "spooled",
        "spooled",
        "the destination fails, memory is full, or an end is near",
    ),
    ("encoded", "set aside", "", "it was not taken, and the next one was"),
    (
        "encoded",
        "dropped",
        "memory_full",
        "memory is full, and metrics have no queue to wait in",
    ),
    ("encoded", "dropped", "spool_full", "memory is full, and so is the spool"),
    ("encoded", "dropped", "spool_io", "memory is full, and the spool cannot be written"),
    ("encoded", "dropped", "shutdown", "the process ends, and there is no spool"),
    ("encoded", "dropped", "spool_torn", "a process ended while it wrote it to the spool"),
    ("in flight", "sent", "sent", "it is answered with 200"),
    ("in flight", "dropped", "partial", "the answer says that it was left out"),
    ("in flight", "dropped", "refused", "the answer says that it will never be taken"),
    ("in flight", "encoded", "", "it may be taken later, and came from memory"),
    ("in flight", "spooled", "", "it may be taken later, and came from the spool"),
    ("set aside", "in flight", "retried", "its wait is over, and there is no other"),
    ("set aside", "spooled", "spooled", "the destination fails, or an end is near"),
    ("set aside", "dropped", "memory_full", "memory is full"),
    ("set aside", "dropped", "shutdown", "the process ends, and there is no spool"),
    ("spooled", "leased", "", "it is the oldest, and its destination is this process's, too"),
    ("spooled", "dropped", "spool_full", "a newer one takes its place"),
    ("spooled", "dropped", "spool_age", "it is too old"),
    ("leased", "in flight", "retried", "its process sends it"),
    ("leased", "spooled", "", "its process ended before it was answered"),
    ("leased", "dropped", "spool_torn", "it is not whole"),
)
TRANSITIONS = tuple(Transition(*row) for row in _ROWS)
"""All that can become of an item."""
