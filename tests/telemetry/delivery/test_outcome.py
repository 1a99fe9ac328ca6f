"""What answers mean."""

from __future__ import annotations

import socket
import ssl
import time
from email.utils import formatdate
from http.client import BadStatusLine, RemoteDisconnected

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from funcscope.telemetry._delivery.retry import (
    Accepted,
    Rejected,
    Retryable,
    classify_error,
    classify_response,
)
from funcscope.telemetry._http.connection import Answer
from funcscope.telemetry._http.deadline import Deadline, GivenUpError, Phase


def partial_success(signal: str, rejected: int, message: str) -> bytes:
    """Make the body of an answer, as the official protobuf does."""
    if signal == "traces":
        spans = ExportTraceServiceResponse()
        spans.partial_success.rejected_spans = rejected
        spans.partial_success.error_message = message
        return spans.SerializeToString()
    if signal == "logs":
        logs = ExportLogsServiceResponse()
        logs.partial_success.rejected_log_records = rejected
        logs.partial_success.error_message = message
        return logs.SerializeToString()
    metrics = ExportMetricsServiceResponse()
    metrics.partial_success.rejected_data_points = rejected
    metrics.partial_success.error_message = message
    return metrics.SerializeToString()


@given(
    signal=st.sampled_from(["traces", "logs", "metrics"]),
    rejected=st.integers(0, 2**63 - 1),
    message=st.text(alphabet="abc ü", max_size=20),
)
def test_partial_success(signal: str, rejected: int, message: str) -> None:
    """Whatever the signal, a partial success says how many were rejected, and why."""
    outcome = classify_response(Answer(200, body=partial_success(signal, rejected, message)))

    assert outcome == Accepted(rejected, " ".join(message.split()))


def test_negative_number_of_rejected() -> None:
    """Less than none were rejected means none."""
    assert classify_response(Answer(200, body=partial_success("logs", -1, ""))) == Accepted()


@given(st.binary(max_size=60))
def test_garbage_in_a_success(body: bytes) -> None:
    """A 2xx is a delivery whatever its body is."""
    assert isinstance(classify_response(Answer(200, body=body)), Accepted)


@given(st.integers(300, 599), st.binary(max_size=60), st.text(max_size=20))
def test_no_answer_is_too_strange(status: int, body: bytes, retry_after: str) -> None:
    """Whatever else comes, it is a refusal, or for four statuses worth another try."""
    outcome = classify_response(Answer(status, retry_after, body))

    assert isinstance(outcome, Retryable if status in (429, 502, 503, 504) else Rejected)


def test_refusal_says_why() -> None:
    """The reason has the status, and the message of a `google.rpc.Status` or a plain text."""
    assert classify_response(Answer(400, body=b"\x08\x03\x12\x08bad\nspan")) == Rejected(
        "HTTP 400: bad span"
    )
    assert classify_response(Answer(404, body=b"no such page")) == Rejected(
        "HTTP 404: no such page"
    )
    assert classify_response(Answer(302)) == Rejected("HTTP 302")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_says_where_to(status: int) -> None:
    """The reason has the new address, and nothing of it that may be secret."""
    outcome = classify_response(
        Answer(status, body=b"<html>", location="https://me:hush@new.example/v1/traces?key=hush")
    )

    assert isinstance(outcome, Rejected)
    assert outcome.reason.startswith(
        f"HTTP {status}: it is not there but at https://new.example/v1/traces, "
    )
    assert "hush" not in outcome.reason


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), (" 0 ", 0.0), ("-3", 0.0), ("soon", None), ("", None), ("inf", None)],
)
def test_retry_after_seconds(text: str, seconds: float | None) -> None:
    """`Retry-After` in seconds is a wait; what is not a number is none."""
    outcome = classify_response(Answer(503, text))

    assert isinstance(outcome, Retryable)
    assert (outcome.reason, outcome.retry_after_s) == ("HTTP 503", seconds)


@pytest.mark.parametrize(
    ("status", "retry_after", "may_be"),
    [(502, "", True), (503, "", True), (504, "", True), (503, "0", False), (429, "", False)],
)
def test_what_may_be_the_body(status: int, retry_after: str, may_be: bool) -> None:
    """An answer may be about the body where it is not about how much there is to do."""
    outcome = classify_response(Answer(status, retry_after))

    assert isinstance(outcome, Retryable)
    assert (outcome.may_be_the_request, outcome.is_busy) == (may_be, not may_be)


def test_retry_after_date() -> None:
    """`Retry-After` as a date is the wait until then, and none once it has passed."""
    future = classify_response(Answer(429, formatdate(time.time() + 100, usegmt=True)))
    past = classify_response(Answer(429, "Fri, 31 Dec 1999 23:59:59 GMT"))

    assert isinstance(future, Retryable)
    assert future.retry_after_s is not None
    assert 50 < future.retry_after_s < 101
    assert past == Retryable("HTTP 429", 0.0, is_busy=True)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimeoutError("timed out"), Retryable("timed out", None, may_be_the_request=True)),
        (TimeoutError(), Retryable("TimeoutError", None, may_be_the_request=True)),
        (GivenUpError("given up"), Retryable("given up")),
        (RemoteDisconnected("closed"), Retryable("closed", None, may_be_the_request=True)),
        (BrokenPipeError(32, "Broken pipe"), Retryable("Broken pipe", None, True)),
        (ssl.SSLEOFError(8, "EOF"), Retryable("EOF", None, may_be_the_request=True)),
        (BadStatusLine("SSH-2.0\r\n"), Rejected("the answer is not HTTP (SSH-2.0)")),
    ],
)
@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.WAITING])
def test_errors(error: Exception, outcome: object, phase: Phase) -> None:
    """What fails once a request is begun may be its fault; what is not HTTP is lost."""
    deadline = Deadline.within(1)
    deadline.phase = phase
    found = classify_error(error, deadline)

    assert (found._replace(cost_s=0.0) if isinstance(found, Retryable) else found) == outcome


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError("timed out"),
        ssl.SSLCertVerificationError(1, "not trusted"),
        socket.gaierror(-2, "Name or service not known"),
        UnicodeError("label too long"),
        BadStatusLine("a proxy that speaks something else"),
    ],
)
def test_errors_before_the_request(error: Exception) -> None:
    """What fails before a request is begun is worth another try, and never its fault."""
    found = classify_error(error, Deadline.within(1))

    assert isinstance(found, Retryable)
    assert not found.may_be_the_request
