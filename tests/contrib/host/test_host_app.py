"""Finding an app on disk, and saying clearly what is wrong with it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from funcscope.contrib.host import HostError, find_app

if TYPE_CHECKING:
    from pathlib import Path

HTTP_TRIGGER = {"type": "httpTrigger", "direction": "in", "name": "req"}


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    """Make a directory with a v2 app."""
    (tmp_path / "function_app.py").touch()
    return tmp_path


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    """Make a directory with a v1 app of one function, `hello`."""
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "__init__.py").touch()
    write(tmp_path / "hello" / "function.json", {"bindings": [HTTP_TRIGGER]})
    return tmp_path


def write(path: Path, content: object) -> None:
    """Write JSON."""
    path.write_text(json.dumps(content), encoding="utf-8")


def test_v2(v2: Path) -> None:
    """A function_app.py makes a v2 app, with the default route prefix."""
    app = find_app(v2, {})

    assert (app.model, app.functions, app.route_prefix) == ("v2", (), "api")


def test_v1(v1: Path) -> None:
    """A function.json in a folder makes a v1 app; the folder's name is the function's."""
    app = find_app(v1, {})

    assert app.model == "v1"
    assert [f.name for f in app.functions] == ["hello"]
    assert app.functions[0].script == v1.resolve() / "hello" / "__init__.py"
    assert app.functions[0].entry_point == "main"


def test_disabled_v1_function_is_left_out(v1: Path) -> None:
    """A function that its function.json disables is not loaded."""
    (v1 / "old").mkdir()
    write(v1 / "old" / "function.json", {"disabled": True, "bindings": [HTTP_TRIGGER]})

    assert [f.name for f in find_app(v1, {}).functions] == ["hello"]


@pytest.mark.parametrize(("prefix", "expected"), [("", ""), ("/v1/", "v1"), ("a/b", "a/b")])
def test_route_prefix(v2: Path, prefix: str, expected: str) -> None:
    """host.json sets what routes start with, or that nothing stands before them."""
    write(v2 / "host.json", {"extensions": {"http": {"routePrefix": prefix}}})

    assert find_app(v2, {}).route_prefix == expected


def test_script_name_from_settings(tmp_path: Path) -> None:
    """PYTHON_SCRIPT_FILE_NAME names the script; the environment wins over the file."""
    (tmp_path / "mine.py").touch()
    write(tmp_path / "local.settings.json", {"Values": {"PYTHON_SCRIPT_FILE_NAME": "other.py"}})

    assert find_app(tmp_path, {"PYTHON_SCRIPT_FILE_NAME": "mine.py"}).model == "v2"
    with pytest.raises(HostError, match=r"expected other\.py"):
        find_app(tmp_path, {})


def test_values_do_not_override(v2: Path) -> None:
    """Settings of the file go where the environment has none."""
    write(v2 / "local.settings.json", {"Values": {"A": "file", "B": "file"}})
    environment = {"A": "set"}

    find_app(v2, {}).apply_values(environment)

    assert environment == {"A": "set", "B": "file"}


def test_comments_and_byte_order_mark(v2: Path) -> None:
    """Comments and a byte order mark are read over, as the host does; strings stay whole."""
    text = '\ufeff{ // why\n "Values": { /* how\n */ "URL": "https://x/*y*/" } }'
    (v2 / "local.settings.json").write_text(text, encoding="utf-8")

    assert find_app(v2, {}).values == {"URL": "https://x/*y*/"}


@pytest.mark.parametrize("name", ["host.json", "local.settings.json"])
def test_invalid_json_has_its_place(v2: Path, name: str) -> None:
    """Invalid JSON is told with file, line and column."""
    (v2 / name).write_text('{\n  /* all\n fine */ "a": nope\n}', encoding="utf-8")

    with pytest.raises(HostError, match=re.escape(name) + ".*line 3, column 15"):
        find_app(v2, {})


def test_invalid_function_json_has_its_place(v1: Path) -> None:
    """Invalid JSON in a function.json is told with file, line and column."""
    (v1 / "hello" / "function.json").write_text("{,}", encoding="utf-8")

    with pytest.raises(HostError, match=r"hello.function\.json.*line 1, column 2"):
        find_app(v1, {})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("host.json", [], "must be a JSON object"),
        ("host.json", {"extensions": 1}, "'extensions' is 1"),
        ("host.json", {"extensions": {"http": {"routePrefix": 1}}}, "'routePrefix' is 1"),
        ("local.settings.json", {"Values": {"A": 1}}, "'A' is 1: settings are strings"),
        ("local.settings.json", {"IsEncrypted": True}, "func settings decrypt"),
    ],
)
def test_wrong_settings(v2: Path, name: str, content: object, message: str) -> None:
    """A settings file with wrong content is named together with what is wrong."""
    write(v2 / name, content)

    with pytest.raises(HostError, match=f"{re.escape(name)}.*{re.escape(message)}"):
        find_app(v2, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no list of 'bindings'"),
        ({"bindings": [{"type": "httpTrigger"}]}, "lacks the string 'name'"),
        ({"bindings": [{**HTTP_TRIGGER, "direction": "sideways"}]}, "direction 'sideways'"),
        ({"bindings": [{**HTTP_TRIGGER, "type": "http"}]}, "has no trigger"),
        ({"bindings": [HTTP_TRIGGER], "scriptFile": "x.py"}, "script 'x.py' does not exist"),
        ({"bindings": [HTTP_TRIGGER], "entryPoint": 1}, "must be strings"),
    ],
)
def test_wrong_function_json(v1: Path, content: object, message: str) -> None:
    """A function.json that no host would take is refused before anything starts."""
    write(v1 / "hello" / "function.json", content)

    with pytest.raises(HostError, match=re.escape(message)):
        find_app(v1, {})


def test_no_directory(tmp_path: Path) -> None:
    """A directory that does not exist is named."""
    with pytest.raises(HostError, match="nowhere is not a directory"):
        find_app(tmp_path / "nowhere", {})


def test_file_instead_of_its_folder(v2: Path) -> None:
    """The path of the script is answered with the folder that was meant."""
    with pytest.raises(HostError, match=f"is a file: pass its folder, {re.escape(str(v2))}$"):
        find_app(v2 / "function_app.py", {})


def test_no_app(tmp_path: Path) -> None:
    """A directory without an app is told what was looked for."""
    with pytest.raises(HostError, match=r"no function app in .*function_app\.py.*function\.json"):
        find_app(tmp_path, {})


def test_both_models(v1: Path) -> None:
    """An app of both models at once is refused: no worker runs it."""
    (v1 / "function_app.py").touch()

    with pytest.raises(HostError, match=r"v2 app .*v1 app .*hello/function\.json"):
        find_app(v1, {})
