"""What processes record that functions start, checked at a real OTLP receiver."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.sdk_versions import since

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "child-processes.md"

# Python 3.12 and later warn of every fork in a process that has threads.
FORKS = {"PYTHONWARNINGS": "error,ignore:This process (pid:DeprecationWarning"}

KINDS = ["program", "spawn", "forkserver", "fork", "plain_fork", "os_fork"]

pytestmark = pytest.mark.parametrize(
    "path",
    [
        pytest.param("protobuf", marks=pytest.mark.library_worker),
        pytest.param("native_sync", marks=pytest.mark.library_worker),
        "classic",
    ],
)


def test_each_kind_of_process(run: Runner, call: Caller, path: str) -> None:
    """What parent and child record arrives once, below the invocation's span and with its id."""
    calls = [
        call(name, trace_parent=f"00-{index + 1:032x}-{index + 1:016x}-01")
        for index, name in enumerate(KINDS)
    ]
    result = run("v2_processes", calls, path=path, env=FORKS)

    assert all(outcome["ok"] for outcome in result.outcomes), result.stderr
    for index, name in enumerate(KINDS):
        invocation = result.span(index)
        assert invocation.trace_id == f"{index + 1:032x}"
        spans = {s.name: s for s in result.spans if s.trace_id == invocation.trace_id}
        around = spans.pop("span around fork", invocation)
        assert set(spans) == {invocation.name, "span in parent", "span in child"}, name
        assert spans["span in parent"].parent_id == invocation.span_id, name
        assert spans["span in child"].parent_id == around.span_id, name
        records = {str(log.body): log for log in result.messages(index)}
        assert len(records) == len(result.messages(index)) == 4, name
        for where in ("parent", "child"):
            log = records[f"log in {where}"]
            span = spans[f"span in {where}"]
            assert (log.trace_id, log.span_id) == (span.trace_id, span.span_id), name
            assert log.attributes["faas.name"] == name
        assert records["thread in parent"].span_id == invocation.span_id, name
        assert records["thread in child"].span_id == around.span_id, name
    # Two spans for each function, besides its own, and one around a fork: nothing is there twice.
    assert len(result.spans) == len(KINDS) * 3 + 1


@since(44, "an instance id of each forked child's own")
def test_measurements_are_counted_once(
    run: Runner, call: Caller, path: str, receiver: tuple[Any, Any]
) -> None:
    """A forked child measures from zero on, as an instance of its own."""
    run("v2_processes", [call("fork")], path=path, env=FORKS)
    counts: dict[object, float] = defaultdict(float)
    for metric in receiver[1].metrics:
        instance = metric.resource["service.instance.id"]
        if metric.name == "app.work":
            counts[instance] = max(counts[instance], *(point.value for point in metric.points))
        elif metric.name == "faas.invocations":
            counts["invocations of", instance] = metric.points[0].value

    ours = [count for instance, count in counts.items() if isinstance(instance, str)]
    assert ours == [1, 1]
    assert len(counts) == 3, counts


def test_forked_child_has_no_thread_of_its_parents(run: Runner, call: Caller, path: str) -> None:
    """Neither what exports nor what delivers goes on in a forked child."""
    result = run("v2_processes", [call("plain_fork"), call("threads")], path=path, env=FORKS)

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]


def test_pool_that_serves_many_invocations(run: Runner, call: Caller, path: str) -> None:
    """A process that was forked in one invocation records for another what is another's."""
    calls = [call("pool"), call("pool"), call("close_pool")]
    result = run("v2_processes", calls, path=path, env=FORKS)

    assert [outcome["error"] for outcome in result.outcomes] == ["", "", ""]
    for index in (0, 1):
        (log,) = result.messages(index)
        assert log.body == "log in pool"
        assert log.span_id == result.span(index).span_id


def test_what_the_docs_show(run: Runner, call: Caller, path: str, tmp_path: Path) -> None:
    """The page's functions and programs work as they stand there."""
    app = tmp_path / "v2_docs"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    files = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for name, code in files:
        (app / name).write_text(code)
    result = run(app, [call("report"), call("resize")], path=path, env=FORKS)

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    assert len(files) == 3
    for index, (name, said) in enumerate([("render", "rendered"), ("scale", "scaled")]):
        (span,) = (s for s in result.spans if s.name == name)
        assert span.parent_id == result.span(index).span_id
        assert [log.body for log in result.messages(index)] == [said]
