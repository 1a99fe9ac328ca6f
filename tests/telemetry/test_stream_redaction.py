"""What log handlers get, where secrets are to be taken out of that, too."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import TYPE_CHECKING, Any

import pytest

from funcscope.telemetry._logs.stream import leave_stream, redact_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://app.net/f?code=s3cret"
CLEAN = "https://app.net/f?code=REDACTED"


class Kept(logging.Handler):
    """Keeps the records that it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.records.append(record)


@pytest.fixture
def kept() -> Kept:
    """Keep what the handlers of a logger get."""
    return Kept()


@pytest.fixture
def stream() -> io.StringIO:
    """Show what a console would."""
    return io.StringIO()


@pytest.fixture
def logger(kept: Kept, stream: io.StringIO) -> Iterator[logging.Logger]:
    """Log to both, redacted."""
    logger = logging.Logger("stream")  # noqa: LOG001  (of this test alone)
    logger.addHandler(kept)
    console = logging.StreamHandler(stream)
    console.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(console)
    redact_stream(["clientId"])
    yield logger
    leave_stream()


def test_arguments_that_a_formatter_reads(logger: logging.Logger, kept: Kept) -> None:
    """Template and arguments stay what they are, where the secret is in an argument alone."""
    logger.info('%s "%s %s" %d', "127.0.0.1", "GET", URL, 200)
    logger.info("%(method)s %(url)s", {"method": "GET", "url": URL})

    assert kept.records[0].msg == '%s "%s %s" %d'
    assert kept.records[0].args == ("127.0.0.1", "GET", CLEAN, 200)
    assert kept.records[1].args == {"method": "GET", "url": CLEAN}
    assert [r.getMessage() for r in kept.records] == [
        f'127.0.0.1 "GET {CLEAN}" 200',
        f"GET {CLEAN}",
    ]


def test_objects_among_the_extras(logger: logging.Logger, kept: Kept) -> None:
    """What shows a secret is text without it, as formatters show it; another stays what it is."""

    class Shows:
        def __init__(self, text: str) -> None:
            self.text = text

        def __repr__(self) -> str:
            return self.text

    harmless = Shows("17")
    logger.info("a", extra={"one": Shows(URL), "more": [Shows(f"<{URL}>")], "other": harmless})

    record: Any = kept.records[0]
    assert (record.one, record.more, record.other) == (CLEAN, f"[<{CLEAN}>]", harmless)


def test_messages_and_their_arguments(
    logger: logging.Logger, kept: Kept, stream: io.StringIO
) -> None:
    """A secret in a message, in its arguments, or made of both, is replaced; others stay."""
    logger.info("GET %s took %d ms", URL, 3)
    logger.info("code=%s", "x")
    logger.info("/f?clientId=%s", "s3cret")

    assert stream.getvalue().splitlines() == [
        f"INFO GET {CLEAN} took 3 ms",
        "INFO code=REDACTED",
        "INFO /f?clientId=REDACTED",
    ]
    assert kept.records[0].getMessage() == f"GET {CLEAN} took 3 ms"


def test_a_record_without_a_secret_is_handed_on(logger: logging.Logger, kept: Kept) -> None:
    """It is the same object, whose message is still a template with arguments."""
    record = logger.makeRecord("stream", logging.INFO, "f", 1, "took %d ms", (3,), None)
    logger.handle(record)

    assert kept.records == [record]
    assert kept.records[0] is record
    assert record.args == (3,)


def test_the_callers_objects_stay(logger: logging.Logger, kept: Kept) -> None:
    """The record as it was made keeps all it had; handlers get a copy of its class."""
    extra = {"url": URL, "headers": {"x-api-key": "s3cret", "accept": "*/*"}, "n": 1}
    record = logger.makeRecord("stream", 20, "f", 1, "to %s", (URL,), None, extra=extra)
    before = dict(vars(record))
    logger.handle(record)
    (got,) = kept.records

    assert vars(record) == {**vars(record), **before}
    assert (got.__dict__["url"], got.__dict__["n"]) == (CLEAN, 1)
    assert got.__dict__["headers"] == {"x-api-key": "REDACTED", "accept": "*/*"}
    assert extra["headers"] == {"x-api-key": "s3cret", "accept": "*/*"}


def test_exceptions_and_stacks(logger: logging.Logger, kept: Kept, stream: io.StringIO) -> None:
    """Tracebacks and stack traces are shown as ever, but for what is a secret in them."""
    try:
        raise ValueError(f"cannot reach {URL}")
    except ValueError:
        logger.exception("failed", stack_info=True)
    said = stream.getvalue()

    assert "s3cret" not in said
    assert f"ValueError: cannot reach {CLEAN}" in said
    assert "Traceback (most recent call last):" in said
    assert "Stack (most recent call last):" in said
    assert kept.records[0].exc_info is None


def test_a_record_class_of_ones_own(logger: logging.Logger, kept: Kept) -> None:
    """A class that makes its message in its own way is asked once, and its copy shows that."""

    class Braces(logging.LogRecord):
        asked = 0

        def getMessage(self) -> str:  # noqa: N802  (Python's)
            Braces.asked += 1
            return str(self.msg).format(*(self.args or ()))

    logger.handle(Braces("stream", logging.INFO, "f", 1, "to {} {{}}", (URL,), None))
    (got,) = kept.records

    assert isinstance(got, Braces)
    assert got.getMessage() == f"to {CLEAN} {{}}"
    assert Braces.asked == 1


def test_a_message_that_is_a_dict(logger: logging.Logger, kept: Kept) -> None:
    """Formatters that read its parts find a dict."""
    logger.info({"event": "call", "url": URL, "password": "s3cret"})

    assert kept.records[0].msg == {"event": "call", "url": CLEAN, "password": "REDACTED"}


def test_a_message_that_cannot_be_made(
    logger: logging.Logger, kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `logging` reports of it on standard error has no secret either."""
    message = f"to %s %s {URL}"
    logger.info(message, URL)

    assert len(kept.records) == 1
    said = capsys.readouterr().err
    assert "--- Logging error ---" in said
    assert CLEAN in said
    assert "code=s3cret" not in said


def test_objects_that_raise(logger: logging.Logger, kept: Kept) -> None:
    """A log call that is well without it is well with it, and nothing leaves unseen."""

    class Odd(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError(URL)

    logger.info("ok", extra={"odd": Odd()})

    assert kept.records[0].__dict__["odd"] == "REDACTED"


class Cancelled:
    """Is cancelled when it is shown."""

    def __repr__(self) -> str:
        raise asyncio.CancelledError("repr")


def test_an_extra_that_only_we_ask(logger: logging.Logger, kept: Kept) -> None:
    """An extra that cannot be shown costs itself, and no log call."""
    logger.info("go to %s", URL, extra={"job": Cancelled(), "step": 1})

    (record,) = kept.records
    assert (record.getMessage(), vars(record)["step"]) == (f"go to {CLEAN}", 1)


def test_off_nothing_is_patched() -> None:
    """Without the setting, `logging` calls handlers as ever."""
    call = logging.Logger.callHandlers
    redact_stream()
    redact_stream(["again"])
    leave_stream()

    assert logging.Logger.callHandlers is call
