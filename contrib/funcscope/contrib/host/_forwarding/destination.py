"""One of the user's endpoints, and what waits to be sent to it."""

from __future__ import annotations

import threading
from collections import deque
from http.client import HTTPException
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from funcscope.telemetry.integration import (
    Accepted,
    Connection,
    Deadline,
    Retryable,
    classify_error,
    classify_response,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from funcscope.telemetry.integration import ExportOutcome, OtlpTarget

MAX_WAITING = 32 * 1024 * 1024
"""How many bytes may wait for one endpoint; beyond, the oldest are dropped."""

_TRIES = 3
_WAIT_S = 1.0
_LONGEST_WAIT_S = 10.0
_STOP_WITHIN_S = 5.0
_MOST_PROBLEMS = 10  # of one endpoint that are told
_OF_ONE_HOP = frozenset(
    {
        "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers that are the connection's and not the request's (RFC 9110 section 7.6.1)."""

Headers = tuple[tuple[str, str], ...]


class Waiting(NamedTuple):
    """A request that waits to be sent: its headers, and its body as it was received."""

    headers: Headers
    body: bytes


class Destination:
    """
    Sends one signal's requests to the user's endpoint, in their order, on a thread of its own.

    What it cannot send in three tries it drops, and what is too much; both are told.

    Args:
        target: Where to, and the headers that the user's settings have.
        say: Called with each line for people, on any thread.
    """

    def __init__(self, target: OtlpTarget, say: Callable[[str], object]) -> None:
        self._target = target
        self._say = say
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._stop_at: float | None = None
        self._dropped = 0
        self._told: set[str] = set()
        self._connection = Connection(target.origin)
        self._thread = threading.Thread(
            target=self._run, name=f"forward-{target.signal}", daemon=True
        )

    def __enter__(self) -> Self:
        """Start sending."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Send what waits, within a few seconds, and say how much could not be sent."""
        with self._changed:
            self._stop_at = monotonic() + _STOP_WITHIN_S
            self._changed.notify_all()
        self._thread.join()
        if self._dropped:
            requests = "1 request" if self._dropped == 1 else f"{self._dropped} requests"
            self._say(f"{requests} of {self._target.signal} did not get to {self._target.endpoint}")

    def send(self, headers: Headers, body: bytes) -> None:
        """Take a request; this never waits."""
        kept = {name.lower(): text for name, text in headers if name.lower() not in _OF_ONE_HOP}
        # What the user's settings say is sent by the app's exporter, too, unless it is of the URL.
        merged = {**dict(self._target.headers), **kept}
        with self._changed:
            self._waiting.append(Waiting(tuple(merged.items()), body))
            self._bytes += len(body)
            while self._bytes > MAX_WAITING and len(self._waiting) > 1:
                self._bytes -= len(self._waiting.popleft().body)
                self._dropped += 1
            self._changed.notify_all()

    def _run(self) -> None:
        while (waiting := self._next()) is not None:
            problem = self._deliver(waiting)
            if problem:
                self._dropped += 1
                self._tell(problem)
        self._connection.close()

    def _next(self) -> Waiting | None:
        with self._changed:
            while not self._waiting and self._stop_at is None:
                self._changed.wait()
            if not self._waiting:
                return None
            waiting = self._waiting.popleft()
            self._bytes -= len(waiting.body)
            return waiting

    def _deliver(self, waiting: Waiting) -> str:
        """Send a request, with a few tries; return why that failed, `""` where it did not."""
        for number in range(1, _TRIES + 1):
            outcome = self._try(waiting)
            if isinstance(outcome, Accepted):
                if outcome.rejected:
                    self._tell(
                        f"{outcome.rejected} were rejected: {outcome.message or 'no reason'}"
                    )
                return ""
            if not isinstance(outcome, Retryable) or number == _TRIES:
                return outcome.reason
            if not self._pause(number, outcome.retry_after_s):
                return outcome.reason
        return ""

    def _try(self, waiting: Waiting) -> ExportOutcome:
        left_s = self._left_s()
        deadline = Deadline.within(min(self._target.timeout_s, left_s), self._may_go_on)
        try:
            path = self._target.path
            answer = self._connection.post(path, waiting.headers, waiting.body, deadline)
        except (OSError, HTTPException, ValueError) as error:
            return classify_error(error, deadline)
        return classify_response(answer)

    def _pause(self, number: int, asked_s: float | None) -> bool:
        """Wait before another try; false where the end comes before."""
        wait_s = min(asked_s or _WAIT_S * number, _LONGEST_WAIT_S)
        with self._changed:
            self._changed.wait_for(lambda: self._stop_at is not None, min(wait_s, self._left_s()))
        return self._left_s() > 0

    def _may_go_on(self) -> bool:
        return self._left_s() > 0

    def _left_s(self) -> float:
        """Return how long sending may go on: long, until this is to stop."""
        return _LONGEST_WAIT_S if self._stop_at is None else self._stop_at - monotonic()

    def _tell(self, problem: str) -> None:
        """Say what went wrong, each thing once."""
        if problem not in self._told and len(self._told) < _MOST_PROBLEMS:
            self._told.add(problem)
            self._say(f"{self._target.signal} do not get to {self._target.endpoint}: {problem}")
