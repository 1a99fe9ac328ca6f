"""Which of the loaded functions the host serves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from funcscope.contrib.host import HostError, LoadedFunction, find_app
from funcscope.contrib.host._selection import select_functions

if TYPE_CHECKING:
    from pathlib import Path

    from funcscope.contrib.host import FunctionApp


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Make a directory with a v2 app."""
    (tmp_path / "function_app.py").touch()
    return tmp_path


def app(directory: Path, **values: str) -> FunctionApp:
    """Find the app, with settings: `__` in their names is what `.` is."""
    named = {name.replace("__", "."): value for name, value in values.items()}
    settings = json.dumps({"Values": named})
    (directory / "local.settings.json").write_text(settings, encoding="utf-8")
    return find_app(directory, {})


def http(name: str, route: str | None = None, *methods: str, **more: object) -> LoadedFunction:
    """Make a function with an HTTP trigger."""
    trigger = {"type": "httpTrigger", "name": "req", "direction": "in", "route": route}
    return LoadedFunction(name, name, ({**trigger, "methods": list(methods), **more},))


def test_settings_in_bindings(directory: Path) -> None:
    """`%name%` in a binding is the setting of that name, in nested properties, too."""
    function = http("a", "%Version%/{id}", properties={"x": "<%A%>"})

    selection = select_functions([function], app(directory, VERSION="v2", A="1"))

    trigger = selection.functions[0].trigger
    assert (trigger["route"], trigger["properties"]) == ("v2/{id}", {"x": "<1>"})
    assert (selection.problems, selection.notes) == ((), ())


def test_unknown_setting(directory: Path) -> None:
    """A function whose route or queue names an unknown setting is named; the others are served."""
    queue = LoadedFunction("q", "q", ({"type": "queueTrigger", "name": "m", "queueName": "%Q%"},))

    selection = select_functions([queue, http("a")], app(directory))

    assert [f.name for f in selection.functions] == ["a"]
    assert "function 'q': no setting 'Q' for %Q% in 'queueName'" in selection.problems[0]


def test_percent_signs_in_text(directory: Path) -> None:
    """Where text is, `%` may be one: what is no setting stays."""
    sql = {"type": "sql", "name": "rows", "commandText": "SELECT * WHERE a LIKE '%x%'"}
    function = LoadedFunction("a", "a", (*http("a").bindings, sql))

    selection = select_functions([function], app(directory))

    assert selection.functions[0].bindings[1] == sql


def test_disabled_by_a_setting(directory: Path) -> None:
    """A function of the v2 model is disabled by a setting, and that is told."""
    functions = [http("a"), http("b")]

    selection = select_functions(functions, app(directory, AzureWebJobs__a__Disabled="true"))

    assert [f.name for f in selection.functions] == ["b"]
    assert "function 'a' is left out: disabled by setting" in selection.notes[0]


def test_all_disabled(directory: Path) -> None:
    """A host without an enabled function runs."""
    selection = select_functions([http("a")], app(directory, AzureWebJobs__a__Disabled="1"))

    assert selection.functions == ()


def test_wrong_route(directory: Path) -> None:
    """A function whose route is not valid is named; the others are served."""
    selection = select_functions([http("a", "x/{id:no}"), http("b")], app(directory))

    assert [f.name for f in selection.functions] == ["b"]
    assert "function 'a': route constraint 'no' is not known" in selection.problems[0]


def test_nothing_left(directory: Path) -> None:
    """A host that has nothing but wrong functions does not start."""
    with pytest.raises(HostError, match=r"function 'a': .*\nfunction 'b': "):
        select_functions([http("a", "{"), http("b", "}")], app(directory))


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (http("b", "x/{id}"), http("A", "X/{name}"), True),
        (http("b", "x", "GET", "POST"), http("A", "x", "POST"), True),
        (http("b", "x", "GET"), http("A", "x", "POST"), False),
        (http("b", "x"), http("A", "y"), False),
    ],
)
def test_same_route(
    directory: Path, one: LoadedFunction, other: LoadedFunction, told: bool
) -> None:
    """Two functions with the same route and method are told, with which of them answers."""
    notes = select_functions([one, other], app(directory)).notes

    assert any("functions 'A' and 'b' have the same route" in n for n in notes) is told
    assert any(n.endswith("'A' answers") for n in notes) is told
