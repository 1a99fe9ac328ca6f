"""The context that an invocation begins in: a caller's baggage, and what extensions attach."""

from __future__ import annotations

import json
import logging
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._invocation import PartialContext
from funcscope.telemetry._spans.contexts import begin_context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.contrib.testing import Logs, Result, Spans

APP = Path(__file__).parents[1] / "apps" / "v2_baggage"
HOST = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
app = pytest.mark.funcscope_app(str(APP))


def request(header: str | None = None, **params: str) -> func.HttpRequest:
    """Make a request with a `baggage` header."""
    headers = {} if header is None else {"Baggage": header}
    return func.HttpRequest("GET", "https://app.net/api", headers=headers, params=params, body=b"")


def seen(result: Result) -> dict[str, str]:
    """Return the baggage that the function saw."""
    found: dict[str, str] = json.loads(result.response.get_body())
    return found


@app
@pytest.mark.parametrize("name", ["seen", "seen_later"])
def test_a_callers_baggage(
    invoke: Callable[..., Result], spans: Spans, logs: Logs, name: str
) -> None:
    """A caller's baggage is current in the function, beside its span, and recorded nowhere."""
    result = invoke(name, request("tenant=ac%20me,user=7;p=1 , k="), traceparent=HOST)

    assert seen(result) == {"tenant": "ac me", "user": "7", "k": ""}
    assert spans.one("inner").parent is not None
    assert result.span.parent is not None
    assert f"{result.span.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert "ac me" not in "".join(span.to_json() for span in spans) + str(list(logs))


@app
@pytest.mark.parametrize("name", ["seen", "seen_later"])
@pytest.mark.parametrize("flags", ["01", "00"])
def test_what_an_extension_attaches(
    invoke: Callable[..., Result], name: str, flags: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an extension attached before telemetry is there, and wins over the caller's."""
    monkeypatch.setenv("FUNCSCOPE_PARENT_FLAG", "honour")
    wanted = request("by=caller,tenant=acme", attach="extension")
    result = invoke(name, wanted, traceparent=f"{HOST[:-2]}{flags}")

    assert seen(result) == {"by": "extension", "tenant": "acme"}


def test_baggage_keeps_its_order() -> None:
    """A caller's baggage is handed on in the order in which it came."""
    names = [f"k{number}" for number in range(40)]
    came = Invocation("0f8e", FUNCTION, {}, PartialContext("0f8e", "f", "/", None))
    came.args["req"] = request(",".join(f"{name}=v" for name in names))

    assert list(baggage.get_all(begin_context(came, "req"))) == names


def test_what_another_invocation_has_left_behind() -> None:
    """Of what is current, an invocation begins with what extensions attached since it came."""

    def begin() -> Context | None:
        with trace.use_span(trace.NonRecordingSpan(trace.INVALID_SPAN_CONTEXT)):
            context.attach(baggage.set_baggage("left", "behind"))
            coming = Invocation("0f8e", FUNCTION, {}, PartialContext("0f8e", "f", "/", None))
            coming.outer_context = copy_context()
            nothing = begin_context(coming, None)
            context.attach(context.set_value("attached", "by an extension"))
            found = begin_context(coming, None)
        assert nothing is None
        return found

    assert copy_context().run(begin) == {"attached": "by an extension"}


@app
@pytest.mark.parametrize(("keys", "expected"), [("", []), ("tenant", [{"tenant": "acme"}])])
def test_baggage_is_looked_at_where_it_is_recorded(
    invoke: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    keys: str,
    expected: list[dict[str, str]],
) -> None:
    """Nobody looks for entries to record in baggage where no entry is to be recorded."""
    looked: list[dict[str, object]] = []

    def look(context: Context) -> Mapping[str, object]:
        looked.append(dict(found := baggage.get_all(context)))
        return found

    monkeypatch.setattr("funcscope.telemetry._recording.recorder.get_all", look)
    monkeypatch.setenv("FUNCSCOPE_BAGGAGE_KEYS", keys)
    invoke("seen", request("tenant=acme"))

    assert looked == expected


@app
@pytest.mark.parametrize(
    ("setting", "expected"),
    [("tracecontext,baggage", {"a": "b"}), ("tracecontext", {}), ("", {"a": "b"}), ("none", {})],
)
def test_propagators(
    invoke: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    expected: dict[str, str],
) -> None:
    """Baggage is read where OTEL_PROPAGATORS has it, as it has unless set."""
    monkeypatch.setenv("OTEL_PROPAGATORS", setting)

    assert seen(invoke("seen", request("a=b"))) == expected


FUNCTION = Function("f", "/", False, "f", (Binding("req", "httpTrigger", "in", {}),))


def begun(header: object) -> dict[str, object]:
    """Return the baggage of an invocation whose request has such a header."""

    class Request:
        headers = {"baggage": header}  # noqa: RUF012

    worker = PartialContext("0f8e", "f", "/", None)
    found = begin_context(Invocation("0f8e", FUNCTION, {"req": Request()}, worker), "req")
    return {} if found is None else dict(baggage.get_all(found))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "=",
        "a",
        ",,",
        "a b=c",
        "a=b c",
        "ä=b",
        "a=ü",
        "x" * 9000,
        f"a={'b' * 5000}",
        5,
        None,
        ["a=b"],
    ],
)
def test_malformed_baggage(header: object, caplog: pytest.LogCaptureFixture) -> None:
    """Baggage that is no baggage, or too large, is ignored, and no line repeats it."""
    assert begun(header) == {}
    assert caplog.records == []


def test_how_much_baggage() -> None:
    """As many entries are taken as OpenTelemetry takes."""
    assert len(begun(",".join(f"k{number}=v" for number in range(500)))) == 180


@given(st.text(alphabet='ab=,% \t"é\\+-', max_size=30))
def test_baggage_is_read_as_opentelemetry_reads_it(header: str) -> None:
    """Of any header no more is taken than OpenTelemetry's propagator takes."""
    logging.disable(logging.CRITICAL)
    known = W3CBaggagePropagator().extract({"baggage": header}, Context())
    logging.disable(logging.NOTSET)

    assert begun(header).items() <= dict(baggage.get_all(known)).items()
