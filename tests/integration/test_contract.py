"""The table of docs/reference/lifecycle-contract.md, row by row, on every worker."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.patience import PATIENCE_S

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

TABLE = Path(__file__).parents[2] / "docs" / "reference" / "lifecycle-contract.md"

CODE = '''
import asyncio
import os
from pathlib import Path

import azure.functions as func

from funcscope.extensions import AppExtension, FuncExtension, Reject


class Stop(BaseException):
    """Not an Exception."""


def note(function_name, text):
    with Path(os.environ["HOOK_LOG"]).open("a") as file:
        file.write(f"{function_name} {text}\\n")


def around(name, invocation):
    function = invocation.function_name
    note(function, f"{name} in")
    if name == "F" and function.startswith("rejected"):
        raise Reject("go away")
    if name == "B" and function.startswith("broken_start"):
        raise LookupError("broken")
    try:
        yield
    except BaseException as error:
        note(function, f"{name} {type(error).__name__}")
        if name == "B" and function.startswith("swallowed"):
            return
        raise
    note(function, f"{name} out")
    if name == "B" and function.startswith("broken_end"):
        raise LookupError("broken")


class A(AppExtension):
    @classmethod
    def post_function_load_app_level(cls, function_name, function_directory, *args, **kwargs):
        note(function_name, f"{cls.__name__} load")

    @classmethod
    def pre_invocation_app_level(cls, logger, context, func_args=None, *args, **kwargs):
        note(context.function_name, f"{cls.__name__} pre")

    @classmethod
    def post_invocation_app_level(
        cls, logger, context, func_args=None, func_ret=None, *args, **kwargs
    ):
        note(context.function_name, f"{cls.__name__} post")

    @classmethod
    def around_invocation(cls, invocation):
        return around(cls.__name__, invocation)


class B(AppExtension):
    @classmethod
    def post_function_load_app_level(cls, function_name, function_directory, *args, **kwargs):
        note(function_name, f"{cls.__name__} load")

    @classmethod
    def pre_invocation_app_level(cls, logger, context, func_args=None, *args, **kwargs):
        note(context.function_name, f"{cls.__name__} pre")
        if context.function_name.startswith("broken_hook"):
            raise LookupError("broken")
        if context.function_name.startswith("refused"):
            raise Reject("go away")

    @classmethod
    def post_invocation_app_level(
        cls, logger, context, func_args=None, func_ret=None, *args, **kwargs
    ):
        note(context.function_name, f"{cls.__name__} post")

    @classmethod
    def around_invocation(cls, invocation):
        return around(cls.__name__, invocation)


class F(FuncExtension):
    def post_function_load(self, function_name, function_directory, *args, **kwargs):
        note(function_name, "F load")

    def pre_invocation(self, logger, context, func_args=None, *args, **kwargs):
        note(context.function_name, "F pre")

    def post_invocation(self, logger, context, func_args=None, func_ret=None, *args, **kwargs):
        note(context.function_name, "F post")

    def around_invocation(self, invocation):
        return around("F", invocation)


def act(name):
    note(name, "f")
    if name.startswith(("raises", "swallowed")):
        raise ValueError("mine")
    if name.startswith("stops"):
        raise Stop
    if name.startswith("cancelled"):
        raise asyncio.CancelledError
    return "result"


def make(name):
    """Make the function of a case; it is async where the name says so."""
    F(name)

    if name.endswith("_async"):

        async def function(req: func.HttpRequest) -> str:
            await asyncio.sleep(0)
            return act(name)
    else:

        def function(req: func.HttpRequest) -> str:
            return act(name)

    function.__name__ = name
    return function
'''

FUNCTION_JSON = {
    "bindings": [
        {"name": "req", "type": "httpTrigger", "direction": "in"},
        {"name": "$return", "type": "http", "direction": "out"},
    ]
}


def rows() -> dict[str, list[str]]:
    """Read the table: what runs in each case."""
    found: dict[str, list[str]] = {}
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"[a-z_]+", cells[0]) and cells[0] != "case":
            found[cells[0]] = [step.strip() for step in cells[2].split(",")]
    return found


CASES = [case for case in rows() if case != "load"]
NAMES = [n for case in CASES for n in (case, f"{case}_async") if n != "cancelled"]
FAILS = ("raises", "stops", "cancelled", "swallowed")


def make_app(folder: Path, model: str) -> Path:
    """Write an app with a function for each case, in either model."""
    app = folder / f"{model}_contract"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "contract.py").write_text(CODE)
    if model == "v2":
        routes = "\n".join(f"app.route({name!r})(make({name!r}))" for name in NAMES)
        header = "import azure.functions as func\nfrom contract import make\n"
        (app / "function_app.py").write_text(f"{header}app = func.FunctionApp()\n{routes}\n")
        return app
    for name in NAMES:
        (app / name).mkdir()
        (app / name / "function.json").write_text(json.dumps(FUNCTION_JSON))
        (app / name / "__init__.py").write_text(f"from contract import make\nmain = make({name!r})")
    return app


Observed = tuple[dict[str, list[str]], dict[str, bool], str]
_observed: dict[tuple[str, str], Observed] = {}


@pytest.fixture(params=["v1", "v2"])
def observed(
    request: pytest.FixtureRequest, run: Runner, call: Caller, path: str, tmp_path: Path
) -> Observed:
    """Run the app of a model over a path, once: what ran, and which calls succeeded."""
    key = (str(request.param), path)
    if key not in _observed:
        log = tmp_path / "hooks.txt"
        app = make_app(tmp_path, key[0])
        # However long a busy machine takes for an extension: that it is slow is no fault of these.
        env = {"HOOK_LOG": str(log), "FUNCSCOPE_SLOW_HOOK_MS": f"{PATIENCE_S * 1e3:.0f}"}
        result = run(app, [call(name) for name in NAMES], path=path, env=env)
        ran: dict[str, list[str]] = {name: [] for name in NAMES}
        for line in log.read_text().splitlines():
            name, _, step = line.partition(" ")
            ran[name].append(step)
        is_ok = {n: bool(o["ok"]) for n, o in zip(NAMES, result.outcomes, strict=True)}
        _observed[key] = (ran, is_ok, result.stderr)
    return _observed[key]


@pytest.mark.parametrize("name", NAMES)
def test_row_of_the_contract(observed: Observed, name: str) -> None:
    """What runs around a function in each case, and what the worker gets, is the table's."""
    ran, is_ok, _ = observed
    table = rows()
    case = name.removesuffix("_async")

    assert ran[name] == table["load"] + table[case]
    assert is_ok[name] == (case not in FAILS)


def test_faults_are_named(observed: Observed) -> None:
    """Each faulty extension is in the log by name and place, once for each function."""
    _, _, log = observed
    faults = re.findall(r"extension (\w+) \((\S+):\d+\) (.+?) for function (\w+);", log)

    assert sorted((function, fault) for _, _, fault, function in faults) == [
        ("broken_end", "failed after its yield"),
        ("broken_end_async", "failed after its yield"),
        ("broken_hook", "failed in its pre hook"),
        ("broken_hook_async", "failed in its pre hook"),
        ("broken_start", "failed before its yield"),
        ("broken_start_async", "failed before its yield"),
        ("swallowed", "swallowed the function's exception"),
        ("swallowed_async", "swallowed the function's exception"),
    ]
    assert {name for name, *_ in faults} == {"B"}
    assert all(file.endswith("contract.py") for _, file, *_ in faults)
