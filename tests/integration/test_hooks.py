"""Extensions written to Microsoft's interface, on the real library workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]


def test_unmodified_extension(run: Runner, call: Caller, path: str, tmp_path: Path) -> None:
    """Its load hook runs once for each function, pre and post once for each call that returns."""
    log = tmp_path / "hooks.txt"
    calls = [call("one"), call("two"), call("one"), call("fails")]
    result = run("v2_extensions", calls, path=path, env={"HOOK_LOG": str(log)})
    one, two, again, fails = (made["id"] for made in calls)

    assert [outcome["ok"] for outcome in result.outcomes] == [True, True, True, False]
    assert sorted(log.read_text().splitlines()[:3]) == ["load fails", "load one", "load two"]
    assert log.read_text().splitlines()[3:] == [
        f"pre one {one} ['req']",
        f"post one {one} 1",
        f"pre two {two} ['context', 'req']",
        f"post two {two} 2",
        f"pre one {again} ['req']",
        f"post one {again} 1",
        f"pre fails {fails} ['req']",
    ]


def test_broken_extension_is_named(run: Runner, call: Caller, path: str, tmp_path: Path) -> None:
    """An extension that raises is named once for each function, and its calls succeed."""
    calls = [call("one"), call("one"), call("two")]
    environ = {"HOOK_LOG": str(tmp_path / "hooks.txt")}
    result = run("v2_extensions", calls, path=path, env=environ)

    assert all(outcome["ok"] for outcome in result.outcomes)
    assert result.stderr.count("failed in its pre hook") == 2
    assert "extension Broken (" in result.stderr
    assert "for function one" in result.stderr
    assert "for function two" in result.stderr


@pytest.mark.library_worker
def test_specialised_placeholder(run: Runner, call: Caller, host: Any, tmp_path: Path) -> None:
    """With its environment refilled and its app imported again, a worker runs each hook once."""
    log = tmp_path / "hooks.txt"
    calls = [call("one"), call("two")]
    result = run("v2_extensions", calls, path="specialised", env={"HOOK_LOG": str(log)})
    one, two = (made["id"] for made in calls)

    assert [outcome["ok"] for outcome in result.outcomes] == [True, True]
    assert log.read_text().splitlines()[-4:] == [
        f"pre one {one} ['req']",
        f"post one {one} 1",
        f"pre two {two} ['context', 'req']",
        f"post two {two} 2",
    ]
    assert log.read_text().count("pre ") == log.read_text().count("post ") == 2


@pytest.mark.library_worker
def test_telemetry_of_a_specialised_placeholder(run: Runner, call: Caller, host: Any) -> None:
    """Settings that come with the refilled environment hold, and each call has one span."""
    result = run("v2", [call("hello"), call("later"), call("timing")], path="specialised")

    assert [outcome["error"] for outcome in result.outcomes] == ["", "", ""]
    for index in range(3):
        assert (result.span(index).trace_id, result.span(index).parent_id) == host
    took = [log.body for log in result.messages(2) if "took" in str(log.body)]
    assert len(took) == 1
