"""
Receivers that misbehave, on a port each: one process for all, beside the workers that send to them.

Prints their URLs, and then, for each line with a receiver's name, what it has taken.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
from typing import TYPE_CHECKING

from tests.integration.faults import (
    FaultyReceiver,
    accept,
    answering,
    dying_at,
    garble,
    hang,
    keys,
    reset,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.faults import Behaviour, Exchange

Counts = dict[str, int]
NEVER = sys.maxsize


class Mortal:
    """
    A behaviour that takes what comes, dies instead of answering, is back a while later, and so on.

    Args:
        numbers: Of spans taken in all, at which it dies.
        away_s: How long it is away, in seconds.
    """

    def __init__(self, numbers: Iterator[int], away_s: float) -> None:
        self._numbers, self._away_s = numbers, away_s
        self._behave = dying_at(next(numbers))
        self.deaths = 0

    def __call__(self, exchange: Exchange) -> None:
        """Take what a request brought; answer, or die."""
        self._behave(exchange)
        if not exchange.goes_on:
            self.deaths += 1
            self._behave = dying_at(next(self._numbers, NEVER))
            threading.Timer(self._away_s, exchange.receiver.listen).start()


BEHAVIOURS: dict[str, Callable[[], Behaviour | None]] = {
    "healthy": lambda: accept,
    "absent": lambda: None,
    "refuses": lambda: reset,
    "hangs": lambda: hang,
    "429": lambda: answering(429, retry_after="1"),
    "503": lambda: answering(503, retry_after="1"),
    "dies": lambda: Mortal(itertools.count(3_000, 3_000), 3.0),
    "dies-rarely": lambda: Mortal((2_000 * 2**n for n in itertools.count()), 1.0),
    "400": lambda: answering(400),
    "garbage": lambda: garble,
}


def receiver_that(fault: str) -> FaultyReceiver:
    """Make a receiver, which listens unless it is to be absent."""
    receiver, behaviour = FaultyReceiver(), BEHAVIOURS[fault]()
    if behaviour is not None:
        receiver.behaviour = behaviour
        receiver.listen()
    return receiver


def counts_of(receiver: FaultyReceiver) -> Counts:
    """
    Count by span ids what a receiver took.

    Returns:
        `arrived`: different spans; `doubled`: how often one came again; `unexplained`: how often
        although it had been answered for each time it was taken before; `deaths`.
    """
    doubled, unanswered = receiver.doubled()
    return {
        "arrived": len(keys(receiver.store.spans)),
        "doubled": doubled.total(),
        "unexplained": (doubled - unanswered).total(),
        "deaths": getattr(receiver.behaviour, "deaths", 0),
    }


def main(faults: list[str]) -> None:
    """Serve until standard input ends."""
    receivers = {fault: receiver_that(fault) for fault in faults}
    print(json.dumps({name: found.endpoint for name, found in receivers.items()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(counts_of(receivers[line.strip()])), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
