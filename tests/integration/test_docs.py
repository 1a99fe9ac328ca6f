"""What the docs show, run as it stands there."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

DOCS = Path(__file__).parents[2] / "docs"


def write_app(page: Path, folder: Path) -> Path:
    """Write the files that a page shows, each named in its first line, as an app."""
    app = folder / "v2_docs"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    for name, code in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", page.read_text(), re.DOTALL):
        (app / name).write_text(code)
    return app


def test_readme(run: Runner, call: Caller, host: Any, path: str, tmp_path: Path) -> None:
    """The README's app answers, and its invocation is a span below the host's."""
    app = write_app(DOCS.parent / "README.md", tmp_path)
    result = run(app, [call("hello")], path=path)

    assert result.outcomes[0]["ok"]
    assert (result.span().trace_id, result.span().parent_id) == host


def test_write_an_extension(run: Runner, call: Caller, path: str, tmp_path: Path) -> None:
    """The tutorial's extensions name slow calls and keep callers without a token out."""
    app = write_app(DOCS / "tutorials" / "write-an-extension.md", tmp_path)
    calls = [
        call("treasure"),
        call("treasure", headers={"x-token": "open sesame"}),
        call("hello"),
    ]
    result = run(app, calls, path=path)

    assert [outcome["error"] for outcome in result.outcomes] == ["", "", ""]
    assert [outcome["status"] for outcome in result.outcomes] == [401, 200, 200]
    assert result.stderr.count("treasure is slow") == 2
    assert result.stderr.count("hello is slow") == 1


def test_logging_from_threads(run: Runner, call: Caller, path: str, tmp_path: Path) -> None:
    """The how-to's threads, pool and own worker thread log under their invocations."""
    app = write_app(DOCS / "how-to" / "logging-from-threads.md", tmp_path)
    with (app / "function_app.py").open("a") as module:
        module.write(
            textwrap.dedent("""

            @app.route("refund")
            def refund(req: func.HttpRequest, context: func.Context) -> str:
                from funcscope.extensions import no_propagation
                from recipe import in_a_thread
                from worker import hand_over

                done = threading.Event()
                hand_over(charge, context.invocation_id)
                hand_over(done.set)
                done.wait(60)
                with no_propagation():
                    thread = threading.Thread(target=in_a_thread, args=(context,))
                    thread.start()
                thread.join()
                return "refunded"
            """)
        )
    calls = [call("order"), call("refund"), call("refund")]
    result = run(app, calls, path=path)
    ordered = result.messages(0)

    assert [outcome["error"] for outcome in result.outcomes] == ["", "", ""]
    assert [log.body for log in ordered] == ["charging 17"] * 2
    assert [log.attributes["order_id"] for log in ordered] == ["17", "17"]
    for index in (1, 2):
        assert sorted(str(log.body) for log in result.messages(index)) == [
            f"charging {calls[index]['id']}",
            "from a thread",
        ]


def test_instrumentations(run: Runner, call: Caller, path: str, tmp_path: Path) -> None:
    """The engine that the page makes when its app is imported is traced."""
    app = write_app(DOCS / "how-to" / "instrumentations.md", tmp_path)
    result = run(app, [call("sum_up")], path=path, env={"FUNCSCOPE_INSTRUMENT": "sqlalchemy"})
    (query,) = (span for span in result.spans if span.name == "select")

    assert query.trace_id == result.span().trace_id
    assert query.parent_id == result.span().span_id


@pytest.mark.library_worker
def test_spans_and_metrics_of_your_own(run: Runner, call: Caller, tmp_path: Path) -> None:
    """The how-to's attribute, child spans, metric and baggage are the invocation's."""
    app = write_app(DOCS / "how-to" / "spans-and-metrics-of-your-own.md", tmp_path)
    called = call("order", params={"id": "17"}, headers={"baggage": "tenant=acme"})
    result = run(app, [called], path="protobuf")
    spans = {span.name: span for span in result.spans}

    assert result.outcomes[0]["value"] == "taken for acme"
    assert result.span().attributes["order_id"] == "17"
    assert spans["check-stock"].parent_id == spans["charge"].parent_id == result.span().span_id
    assert [event.name for event in spans["charge"].events] == ["asked the bank"]
    assert {"shop.orders", "funcscope.timed.duration"} <= result.metrics


@pytest.mark.library_worker
def test_nothing_arrives(run: Runner, call: Caller, tmp_path: Path) -> None:
    """The how-to's status tells the worker, its function, and what was sent."""
    app = write_app(DOCS / "how-to" / "nothing-arrives.md", tmp_path)
    result = run(app, [call("show")], path="protobuf")

    assert "  function show\nextension TelemetryExtension" in result.outcomes[0]["value"]
    assert "delivery traces: " in result.outcomes[0]["value"]
