"""The classic worker, beside its own extension manager. Stand-in: tests/classic."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("flag", ["0", "1"])
def test_nothing_runs_twice(run: Runner, call: Caller, flag: str, tmp_path: Path) -> None:
    """Hooks run once, be the worker's own extension manager switched on or off."""
    log = tmp_path / "hooks.txt"
    calls = [call("one"), call("two"), call("fails")]
    environ = {"HOOK_LOG": str(log), "PYTHON_ENABLE_WORKER_EXTENSIONS": flag}
    result = run("v2_extensions", calls, path="classic", env=environ)
    one, two, fails = (made["id"] for made in calls)

    assert [outcome["ok"] for outcome in result.outcomes] == [True, True, False]
    assert sorted(log.read_text().splitlines()[:3]) == ["load fails", "load one", "load two"]
    assert log.read_text().splitlines()[3:] == [
        f"pre one {one} ['req']",
        f"post one {one} 1",
        f"pre two {two} ['context', 'req']",
        f"post two {two} 2",
        f"pre fails {fails} ['req']",
    ]


@pytest.mark.parametrize("flag", ["0", "1"])
def test_function_level_of_v1_runs_once(
    run: Runner, call: Caller, flag: str, tmp_path: Path
) -> None:
    """The same holds for function-level extensions of a v1 app."""
    log = tmp_path / "hooks.txt"
    environ = {"HOOK_LOG": str(log), "PYTHON_ENABLE_WORKER_EXTENSIONS": flag}
    run("v1_functions", [call("Orders"), call("hello")], path="classic", env=environ)

    assert log.read_text().splitlines() == [
        "old load Orders",
        "old pre Orders azure_functions_worker.extension.Old",
        "new pre Orders",
        "old post x",
    ]


def test_context_that_the_worker_leaves_attached(run: Runner, call: Caller) -> None:
    """What the worker attaches to pool threads and never detaches is no invocation's parent."""
    calls = [
        call("hello", trace_parent=f"00-{index + 1:032x}-{index + 1:016x}-01")
        for index in range(20)
    ]
    result = run("v2", calls, path="classic", env={"PYTHON_ENABLE_OPENTELEMETRY": "true"})

    for index in range(20):
        span = result.span(index)
        assert (span.trace_id, span.parent_id) == (f"{index + 1:032x}", f"{index + 1:016x}")


def test_output_that_a_hook_replaces(classic: Any) -> None:
    """What a pre hook puts into `func_args` is there for the worker afterwards, as on classic."""
    import azure.functions as func

    from funcscope.extensions import install

    class Replaces(func.AppExtensionBase):
        @classmethod
        def pre_invocation_app_level(
            cls, logger: Any, context: Any, func_args: Any = None, *_: object, **__: object
        ) -> None:
            func_args["out"] = "replaced"

    install()
    functions = importlib.import_module("azure_functions_worker.functions")
    info = functions.Registry().add_func_to_registry_and_return_funcinfo(
        lambda req, out: out, "hello", "1", "/app", False, True, False, False, {}, {}, None
    )
    args = {"req": 1, "out": "mine", "context": None}

    assert classic.ExtensionManager.get_sync_invocation_wrapper(None, info.func)(args) == "replaced"
    assert args["out"] == "replaced"


def test_manager_goes_on_for_what_is_not_ours(classic: Any, monkeypatch: Any) -> None:
    """A function that we have not wrapped keeps the worker's own running of extensions."""
    import azure.functions as func

    from funcscope.extensions import install

    install()
    log: list[str] = []

    class Old(func.AppExtensionBase):
        @classmethod
        def pre_invocation_app_level(cls, *_: object, **__: object) -> None:
            log.append("pre")

    monkeypatch.setenv("PYTHON_ENABLE_WORKER_EXTENSIONS", "1")
    context = type("Context", (), {"function_name": "foreign"})()
    manager = classic.ExtensionManager

    assert manager.get_sync_invocation_wrapper(context, lambda req: req)({"req": 1}) == 1
    assert log == ["pre"]
