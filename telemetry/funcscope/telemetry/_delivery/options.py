"""Options of export: of one signal, and of the worker that exports all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from funcscope.telemetry._config.options import DEFAULTS
from funcscope.telemetry._delivery.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.telemetry._config.otlp_target import OtlpTarget
    from funcscope.telemetry._delivery.queue import DropPolicy
    from funcscope.telemetry._otlp.request import EncodedItem

LOGS_INTERVAL_S = 1.0
"""The SDK's default for log records (OTEL_BLRP_SCHEDULE_DELAY, SDK 1.45)."""

SPANS_INTERVAL_S = 5.0
"""The SDK's default for spans (OTEL_BSP_SCHEDULE_DELAY, SDK 1.45)."""


def default_interval_s(signal: str) -> float:
    """Return how long an item of a signal waits at most under load, unless the app says so."""
    return LOGS_INTERVAL_S if signal == "logs" else SPANS_INTERVAL_S


class ExportOptions(NamedTuple):
    """
    Options of one signal's export, from its queue to its target.

    Attributes:
        target: Where its requests are sent.
        encode: Encodes an item, on the worker's thread; None for a signal whose requests come
            encoded.
        interval_s: How long an item waits at most under load.
        capacity: How many items its queue holds.
        policy: What is dropped first when that is full.
        max_items: How many items one request has at most.
        max_bytes: The size from which a request takes no further item, before compression.
        capacity_bytes: How many bytes the queue holds; None where that is not counted.
        weigh: Tells how many an item has, about.
    """

    target: OtlpTarget
    encode: Callable[[object], EncodedItem] | None = None
    interval_s: float = SPANS_INTERVAL_S
    capacity: int = DEFAULTS["queue_size"]
    policy: DropPolicy = DEFAULTS["drop_first"]
    max_items: int = 512
    max_bytes: int = 4 * 1024 * 1024
    capacity_bytes: int | None = None
    weigh: Callable[[object], int] = sys.getsizeof


class WorkerOptions(NamedTuple):
    """
    Options of the export worker, the same for all signals.

    Attributes:
        memory_bytes: How much encoded telemetry is kept in memory, of all signals; the request
            that passes it is kept, too. After that items stay in their queues.
        failures_to_open: After how many failures in a row a signal's breaker opens.
        backoff: How long to wait after each.
        gap_s: Between two rounds at least; wakes that follow each other closely share one.
        lost_turns: How many turns a request may lose that is refused while others are taken: see
            `Quarantine`.
        quarantine: How long it waits after each refusal; with 16 turns more than an hour in all.
        pause_after_s: After so long with nothing to do, the thread sleeps until it is woken.
    """

    memory_bytes: int = 16 * 1024 * 1024
    failures_to_open: int = 3
    backoff: Backoff = Backoff()
    lost_turns: int = 16
    quarantine: Backoff = Backoff(1.0, 600.0, random=lambda: 1.0)
    gap_s: float = 0.1
    pause_after_s: float = 30.0
