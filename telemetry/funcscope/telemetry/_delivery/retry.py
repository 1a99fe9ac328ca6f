"""
Outcomes of attempts to deliver a request, and the waits between attempts.

By the OTLP specification 1.x (OTLP/HTTP response).
"""

from __future__ import annotations

import math
import random
import re
import time
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from funcscope.telemetry._http.deadline import GivenUpError, Phase
from funcscope.telemetry._otlp.wire import first_field, read_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.telemetry._http.connection import Answer
    from funcscope.telemetry._http.deadline import Deadline

TOO_MANY = 429
RETRYABLE = frozenset({TOO_MANY, 502, 503, 504})
"""The statuses after which OTLP sends a body again; after no other."""

_MAX_REASON = 200
_USER = re.compile(r"//[^/]*@")

_MAX_DOUBLINGS = 32  # beyond, the longest wait has been reached for certain


class Accepted(NamedTuple):
    """
    The collector has the body.

    Attributes:
        rejected: How many items it did not take, of a partial success.
        message: What it says to that, or a warning; empty for none.
    """

    rejected: int = 0
    message: str = ""


class Rejected(NamedTuple):
    """
    The collector will never take the body.

    Attributes:
        reason: What it answered.
    """

    reason: str


class Retryable(NamedTuple):
    """
    The collector may take the body later.

    Attributes:
        reason: What was answered, or what went wrong.
        retry_after_s: How long it asks to be left alone.
        may_be_the_request: Whether the collector was reached, and says nothing about itself.
        cost_s: How long a failed attempt has held up the others.
        is_busy: Whether it says that it has too much to do (429), or when to come back: of another
            request that may not be true, and none is lost for it.
    """

    reason: str
    retry_after_s: float | None = None
    may_be_the_request: bool = False
    cost_s: float = 0.0
    is_busy: bool = False


ExportOutcome: TypeAlias = "Accepted | Rejected | Retryable"
"""What came of sending a request."""


def classify_response(answer: Answer) -> ExportOutcome:
    """
    Classify an answer: accepted, rejected or retryable.

    A 2xx is a delivery even where its body is not what OTLP says.
    """
    if 200 <= answer.status < 300:
        return _accepted(answer.body)
    text = _redirect_text(answer) or _status_text(answer.body)
    reason = f"HTTP {answer.status}" + (f": {text}" if text else "")
    if answer.status in RETRYABLE:
        retry_after_s = _retry_after_s(answer.retry_after, time.time())
        is_busy = answer.status == TOO_MANY or retry_after_s is not None
        return Retryable(reason, retry_after_s, may_be_the_request=not is_busy, is_busy=is_busy)
    return Rejected(reason)


def classify_error(error: Exception, deadline: Deadline) -> Rejected | Retryable:
    """
    Classify a failed request: rejected or retryable.

    A server that does not speak HTTP will not on another try, either. What fails before the
    request is begun says nothing about it, nor does giving up.
    """
    has_begun = deadline.phase is not Phase.CONNECTING
    is_other_protocol = isinstance(error, HTTPException) and not isinstance(error, OSError)
    text = _shown(getattr(error, "strerror", None) or str(error)) or type(error).__name__
    if is_other_protocol and has_begun:
        return Rejected(f"the answer is not HTTP ({text})")
    may_be_the_request = has_begun and not isinstance(error, GivenUpError)
    return Retryable(text, None, may_be_the_request, deadline.spent_s)


def _accepted(body: bytes) -> Accepted:
    """
    Read `partial_success` of an `Export…ServiceResponse`, which is alike for all signals.

    Field 1 is a message whose field 1 counts what was rejected, and whose field 2 says why
    (opentelemetry-proto 1.x, collector services).
    """
    try:
        partial = first_field(body, 1, bytes)
        fields = dict(read_fields(partial or b""))
    except ValueError:
        return Accepted()
    rejected, message = fields.get(1, 0), fields.get(2, b"")
    is_count = isinstance(rejected, int) and rejected < 1 << 63  # above: negative
    text = message.decode(errors="replace") if isinstance(message, bytes) else ""
    return Accepted(int(rejected) if is_count else 0, _shown(text))


def _status_text(body: bytes) -> str:
    """Read the message of a `google.rpc.Status` (field 2), or a text as it is."""
    try:
        message = first_field(body, 2, bytes)
    except ValueError:
        message = None
    return _shown((message or body).decode(errors="replace"))


def _redirect_text(answer: Answer) -> str:
    """Say where a redirect that is not followed leads, without what may be secret."""
    if not (300 <= answer.status < 400 and answer.location):
        return ""
    place = _USER.sub("//", answer.location.partition("?")[0])
    return _shown(f"it is not there but at {place}, to which the endpoint is to be set")


def _shown(text: str) -> str:
    """Make a text fit for one line of a log."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _MAX_REASON else line[:_MAX_REASON] + "…"


def _retry_after_s(text: str, now: float) -> float | None:
    """Read `Retry-After`, in seconds or as a date (RFC 9110 section 10.2.3)."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (TypeError, ValueError, OverflowError):  # TypeError: Python 3.10 and 3.11
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


class Backoff(NamedTuple):
    """
    Waits that double, each with full jitter: anything from none to the whole of it.

    So processes that failed together do not come back together
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Attributes:
        first_s: The longest wait after the first failure.
        longest_s: The longest wait of all.
        random: Draws from 0 to 1.
    """

    first_s: float = 1.0
    longest_s: float = 30.0
    random: Callable[[], float] = random.random

    def delay_s(self, failures: int) -> float:
        """Draw how long to wait after so many failures in a row, one at least."""
        ceiling = self.first_s * 2.0 ** min(failures - 1, _MAX_DOUBLINGS)
        return self.random() * min(self.longest_s, ceiling)


class CircuitBreaker:
    """
    Keeps from a collector that does not work, but for one probe each time a wait is over.

    Args:
        threshold: How many failures in a row open it.
        backoff: How long to wait after each.
        on_open: Called with the reason, once each time it opens.
        on_close: Called once each time it closes again.
        longest_retry_after_s: How much of a `Retry-After` is honoured.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        threshold: int,
        backoff: Backoff,
        *,
        on_open: Callable[[str], object] = lambda _: None,
        on_close: Callable[[], object] = lambda: None,
        longest_retry_after_s: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold = threshold
        self._backoff = backoff
        self._on_open = on_open
        self._on_close = on_close
        self._longest_retry_after_s = longest_retry_after_s
        self._clock = clock
        self._failures = 0
        self.is_open: bool = False
        self.ready_at: float = 0.0
        self._asked_until = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed, open or not."""
        return self._failures > 0

    def is_ready(self) -> bool:
        """Whether an attempt may be made now, whose end is then reported before the next."""
        return self._clock() >= self.ready_at

    def retry_now(self) -> None:
        """Allow one attempt now, as there may be no later; what the collector asks for holds."""
        self.ready_at = min(self.ready_at, self._asked_until)

    def succeeded(self) -> None:
        """Close: the collector has answered."""
        was_open, self.is_open = self.is_open, False
        self._failures, self.ready_at = 0, 0.0
        if was_open:
            self._on_close()

    def failed(self, reason: str, retry_after_s: float | None = None) -> None:
        """
        Count a failed attempt, and open after too many in a row.

        Args:
            reason: Why, for the log.
            retry_after_s: How long the collector asks to be left alone: the least to wait.
        """
        self._failures += 1
        asked_s = min(retry_after_s or 0.0, self._longest_retry_after_s)
        now = self._clock()
        self._asked_until = now + asked_s
        self.ready_at = now + max(self._backoff.delay_s(self._failures), asked_s)
        if self._failures >= self._threshold and not self.is_open:
            self.is_open = True
            self._on_open(reason)
