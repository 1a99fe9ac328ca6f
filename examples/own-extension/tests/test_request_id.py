"""The extension around the functions of an app, as a worker runs them."""

import azure.functions as func
import pytest
from functions_request_id import HEADER, RequestId


def request(**headers: str) -> func.HttpRequest:
    """Make a caller's request; `x_request_id="17"` is the header `x-request-id`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return func.HttpRequest("GET", "https://app/api/hello", headers=named, body=b"")


def test_a_callers_id(invoke):
    """What the caller sends is on the span, on the log records and in the answer."""
    result = invoke("hello", request(x_request_id="17"))

    assert result.span.attributes["request.id"] == "17"
    assert [log.attributes["request_id"] for log in result.logs] == ["17"]
    assert result.response.headers[HEADER] == "17"


def test_a_new_id(invoke):
    """A caller that sends no id gets one, and each gets another."""
    first, second = (invoke("hello", request()).response.headers[HEADER] for _ in range(2))

    assert first
    assert first != second


def test_a_long_id(invoke):
    """An id is cut at the length that is kept of it."""
    result = invoke("hello", request(x_request_id="9" * 1000))

    assert result.span.attributes["request.id"] == "9" * RequestId.longest


def test_other_triggers(invoke):
    """A function that no request starts has no request id."""
    result = invoke("order", "17")

    assert "request.id" not in result.span.attributes
    assert "an order came" in result.logs


@pytest.mark.parametrize("worker", ["classic", "library"])
def test_each_worker(invoke, worker):
    """It runs on the worker of Python 3.12 and earlier as on that of 3.13 and later."""
    assert invoke("hello", request(x_request_id="17"), worker=worker).span.attributes["request.id"]
