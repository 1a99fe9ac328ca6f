"""Finding an app on disk, and saying clearly what is wrong with it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from funcscope.contrib._local.errors import AppError
from funcscope.contrib._local.host_json import HostJson
from funcscope.contrib.host import HostError, find_app

if TYPE_CHECKING:
    from collections.abc import Callable
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
        (
            "local.settings.json",
            {"Values": {"A": ["s3cret"]}},
            "'A' is a list: settings are strings",
        ),
        ("local.settings.json", {"Values": "s3cret"}, "'Values' is a string"),
        ("local.settings.json", {"ConnectionStrings": {"A": [1]}}, "'A' is a list: write"),
        ("local.settings.json", {"Host": {"CORS": ["*"]}}, "'CORS' is a list"),
        ("local.settings.json", {"Host": {"CORSCredentials": "yes"}}, "'CORSCredentials' is a str"),
        ("local.settings.json", {"Host": {"LocalHttpPort": 65536}}, "'LocalHttpPort' is no port"),
        (
            "local.settings.json",
            {"Host": {"CORS": "*", "CORSCredentials": True}},
            "no credentials to a server that allows every origin",
        ),
        ("local.settings.json", {"IsEncrypted": True}, "func settings decrypt"),
        ("local.settings.json", {"Values": {"A=B": "1"}}, "'A=B' cannot be put into the env"),
        ("local.settings.json", {"Values": {"A": "s\0"}}, "'A' cannot be put into the env"),
        ("local.settings.json", {"Values": {"A": "\ud800"}}, "'A' cannot be put into the env"),
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
        ({"bindings": [1]}, "a binding is 1"),
        ({"bindings": [{**HTTP_TRIGGER, "dataType": "json"}]}, "dataType 'json' of binding 'req'"),
        ({"bindings": [HTTP_TRIGGER, {**HTTP_TRIGGER, "name": "b"}]}, "several triggers, req, b"),
        (
            {"bindings": [HTTP_TRIGGER, {"type": "http", "direction": "out", "name": "req"}]},
            "several bindings named 'req'",
        ),
        ({"bindings": [HTTP_TRIGGER, {"type": "http", "name": "$return"}]}, "direction 'out'"),
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


@pytest.mark.parametrize("name", ["host.json", "local.settings.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b'{"version": "2.0",}',
        b"{'version': \"2.0\", logging: {logLevel: {'default': 'It\\'s',},}, /* c */ } // end",
        '{"version": "2.0"}'.encode("utf-16"),
    ],
)
def test_what_newtonsoft_reads(v2: Path, name: str, content: bytes) -> None:
    """Files are read as leniently as Core Tools reads them, one without content included."""
    (v2 / name).write_bytes(content)

    assert find_app(v2, {}).route_prefix == "api"


def test_commas_in_strings_and_places_of_errors(v2: Path) -> None:
    """What looks like a last comma in a string stays, and errors still have their place."""
    (v2 / "local.settings.json").write_text('{"Values": {"A": "a,}//", },}', encoding="utf-8")
    (v2 / "host.json").write_text('{"a": [1,], // ok\n "b": [,]}', encoding="utf-8")

    with pytest.raises(HostError, match=r"host\.json .* line 2, column 8"):
        find_app(v2, {})
    (v2 / "host.json").unlink()
    assert find_app(v2, {}).values == {"A": "a,}//"}


def test_values_are_text_as_written(v2: Path) -> None:
    """Numbers and truth values of settings are text, as written; null is left out and named."""
    text = '{"Values": {"A": 1.50, "B": true, "C": null, "D": ""}}'
    (v2 / "local.settings.json").write_text(text, encoding="utf-8")

    app = find_app(v2, {})

    assert app.values == {"A": "1.50", "B": "true", "D": ""}
    assert any("setting 'C' is null" in note for note in app.notes)


def test_names_of_any_case(v2: Path) -> None:
    """The parts of local.settings.json and of host.json are found whatever their case."""
    host = {"cors": "https://A.net/, http://b", "localhttpport": "7099", "corsCredentials": "True"}
    write(v2 / "local.settings.json", {"values": {"A": "1"}, "host": host})
    write(v2 / "host.json", {"Extensions": {"HTTP": {"RoutePrefix": "x"}}})

    app = find_app(v2, {})

    assert (app.values, app.route_prefix) == ({"A": "1"}, "x")
    assert (app.local.port, app.local.allows_credentials) == (7099, True)
    assert app.local.cors_origins == ("https://a.net", "http://b")


def test_connection_strings(v2: Path) -> None:
    """ConnectionStrings become settings, with the prefix that .NET gives them."""
    strings = {"A": "Server=a", "B": {"ConnectionString": "Server=b", "ProviderName": "p"}}
    write(v2 / "local.settings.json", {"ConnectionStrings": strings})

    values = find_app(v2, {}).values

    assert values == {"ConnectionStrings:A": "Server=a", "ConnectionStrings:B": "Server=b"}


def test_dotenv(v2: Path) -> None:
    """A `.env` file gives settings that local.settings.json and the environment have not."""
    (v2 / ".env").write_text('# c\nexport A="1 #"\nB=dotenv\nC=dotenv\n', encoding="utf-8")
    write(v2 / "local.settings.json", {"Values": {"B": "file"}})
    environment = {"C": "set"}

    find_app(v2, environment).apply_values(environment)

    assert environment == {"A": "1 #", "B": "file", "C": "set"}


def test_no_secret_in_errors(v2: Path) -> None:
    """A message about a setting does not show what the setting holds."""
    write(v2 / "local.settings.json", {"Values": {"Key": {"value": "s3cret"}}})

    with pytest.raises(HostError) as caught:
        find_app(v2, {})

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "AzureFunctionsJobHost__extensions__http__routePrefix",
        "AZUREFUNCTIONSJOBHOST__Extensions__HTTP__ROUTEPREFIX",
        "AzureFunctionsJobHost:extensions:http:routePrefix",
    ],
)
def test_settings_override_host_json(v2: Path, name: str) -> None:
    """A setting goes before its place in host.json, the environment before the file."""
    write(v2 / "host.json", {"version": "2.0", "extensions": {"http": {"routePrefix": "file"}}})
    write(v2 / "local.settings.json", {"Values": {name: "setting"}})

    assert find_app(v2, {}).route_prefix == "setting"
    assert find_app(v2, {name: ""}).route_prefix == ""


def test_host_json_values(tmp_path: Path) -> None:
    """Values of host.json and of settings are read as what is asked for."""
    content = {"q": {"batchSize": 8, "delay": "00:00:30", "on": True}, "functions": ["a", "b"]}
    write(tmp_path / "host.json", content)
    settings = {
        "AzureFunctionsJobHost__q__batchSize": "16",
        "AzureFunctionsJobHost__q__off": "False",
        "AzureFunctionsJobHost__functions__1": "c",
        "AzureFunctionsJobHost__new__deep__x": "1.02:03:04.5",
    }

    host = HostJson.read(tmp_path, settings)

    assert host.integer("Q", "BATCHSIZE", default=1) == 16
    assert host.seconds("q", "delay", default=1) == 30
    assert host.seconds("new", "deep", "x", default=1) == 86400 + 2 * 3600 + 3 * 60 + 4.5
    assert host.boolean("q", "on", default=False) is True
    assert host.boolean("q", "off", default=True) is False
    assert host.items("functions") == ["a", "c"]
    assert host.section("q")["delay"] == "00:00:30"
    assert host.section("none") == {}
    assert host.get("q", "none") is None
    assert host.text("q", "none", default="d") == "d"


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda host: host.integer("a", "text", default=1), "'text' is a string in 'a': it must"),
        (
            lambda host: host.boolean("a", "number", default=True),
            "'number' is 1.5 in 'a'",
        ),
        (lambda host: host.seconds("a", "text", default=1), "time span such as '00:05:00'"),
        (lambda host: host.items("a", "text"), "it must be a list"),
        (lambda host: host.section("a", "text"), "it must be a JSON object"),
        (lambda host: host.get("a", "text", "more"), "'text' is a string in 'a'"),
        (lambda host: host.text("a", "number", default=""), "it must be a string"),
    ],
)
def test_wrong_host_json_value(
    tmp_path: Path, read: Callable[[HostJson], object], message: str
) -> None:
    """A value of host.json that is none of its kind is named with its place, and not shown."""
    write(tmp_path / "host.json", {"a": {"text": "s3cret", "number": 1.5}})

    with pytest.raises(AppError, match=re.escape(message)) as caught:
        read(HostJson.read(tmp_path, {}))

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "noted"),
    [({"version": "2.0"}, False), ({}, False), ({"logging": {}}, True), ({"version": "3.0"}, True)],
)
def test_version_of_host_json(v2: Path, content: object, noted: bool) -> None:
    """A host.json that the host in Azure refuses for its version is told."""
    write(v2 / "host.json", content)

    assert any("in Azure, the host does not start" in n for n in find_app(v2, {}).notes) is noted


def test_binding_defaults(v1: Path) -> None:
    """A direction that is missing is `in`; words are of any case, or the host's numbers."""
    bindings = [
        {"type": "httpTrigger", "name": "req", "dataType": None, "cardinality": ""},
        {"type": "http", "name": "$return", "direction": "OUT"},
        {"type": "queue", "name": "a", "direction": "Out", "dataType": "Binary"},
        {"type": "queue", "name": "b", "direction": 1, "dataType": 2},
        {"type": "queue", "name": "c", "direction": "out", "dataType": "HttpRequestMessage"},
    ]
    write(v1 / "hello" / "function.json", {"bindings": bindings})

    read = find_app(v1, {}).functions[0].bindings

    assert [b["direction"] for b in read] == ["in", "out", "out", "out", "out"]
    assert [b.get("dataType") for b in read] == [None, None, "binary", "stream", None]


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_script_and_no_entry_point(v1: Path, nothing: object) -> None:
    """Null is as good as missing: the script is found, and its function is `main`."""
    content = {"bindings": [HTTP_TRIGGER], "scriptFile": nothing, "entryPoint": nothing}
    write(v1 / "hello" / "function.json", content)

    (function,) = find_app(v1, {}).functions

    assert (function.script.name, function.entry_point) == ("__init__.py", "main")


@pytest.mark.parametrize(
    ("files", "script"), [(["only.py"], "only.py"), (["a.py", "run.py", "sample.dat"], "run.py")]
)
def test_script_is_found(v1: Path, files: list[str], script: str) -> None:
    """The only file beside function.json is the script, or `run` among several."""
    (v1 / "hello" / "__init__.py").unlink()
    for name in files:
        (v1 / "hello" / name).touch()

    assert find_app(v1, {}).functions[0].script.name == script


def test_no_script_to_be_found(v1: Path) -> None:
    """Several files of which none is known as the script are told."""
    (v1 / "hello" / "__init__.py").rename(v1 / "hello" / "a.py")
    (v1 / "hello" / "b.py").touch()

    with pytest.raises(HostError, match="has no script beside it: add __init__"):
        find_app(v1, {})


def test_broken_function_beside_good_ones(v1: Path) -> None:
    """A function that is wrong is named and left out; the others run."""
    for name, text in (("bad", "{"), ("9lives", '{"bindings": [1]}'), ("host", "{}")):
        (v1 / name).mkdir()
        (v1 / name / "function.json").write_text(text, encoding="utf-8")

    app = find_app(v1, {})

    assert [f.name for f in app.functions] == ["hello"]
    assert [re.search("bad|9lives|host'", p)[0] for p in app.problems] == ["9lives", "bad", "host'"]  # type: ignore[index]


@pytest.mark.parametrize("folder", [".venv", "__pycache__", "node_modules", ".python_packages"])
def test_folders_of_tools(v1: Path, folder: str) -> None:
    """A function.json in a folder of a tool is no function, broken or not."""
    (v1 / folder).mkdir()
    (v1 / folder / "function.json").write_text("{", encoding="utf-8")

    app = find_app(v1, {})

    assert ([f.name for f in app.functions], app.problems) == (["hello"], ())


@pytest.mark.parametrize(
    ("declared", "settings"),
    [
        (True, {}),
        ("true", {}),
        ("1", {}),
        (1, {}),
        ("OFF", {"OFF": "True"}),
        ("%OFF%", {"off": "1"}),
        (False, {"AzureWebJobs.old.Disabled": "true"}),
        (None, {"AzureWebJobs_old_Disabled": "1"}),
        (None, {"AZUREWEBJOBS__OLD__DISABLED": "1"}),
    ],
)
def test_disabled(v1: Path, declared: object, settings: dict[str, str]) -> None:
    """A function is left out where function.json or a setting disables it, and that is told."""
    (v1 / "old").mkdir()
    (v1 / "old" / "__init__.py").touch()
    write(v1 / "old" / "function.json", {"disabled": declared, "bindings": [HTTP_TRIGGER]})

    app = find_app(v1, settings)

    assert [f.name for f in app.functions] == ["hello"]
    assert any("function 'old' is left out: disabled by" in note for note in app.notes)


@pytest.mark.parametrize(
    ("declared", "settings"),
    [
        (False, {}),
        (None, {}),
        ("false", {}),
        ("OFF", {}),
        ("%OFF%", {}),
        ("OFF", {"OFF": "no"}),
        (None, {"AzureWebJobs.old.Disabled": "false"}),
        (None, {"AzureWebJobs.hello.Disabled2": "1"}),
    ],
)
def test_not_disabled(v1: Path, declared: object, settings: dict[str, str]) -> None:
    """A function stays where nothing says that it is disabled."""
    write(v1 / "hello" / "function.json", {"disabled": declared, "bindings": [HTTP_TRIGGER]})

    assert [f.name for f in find_app(v1, settings).functions] == ["hello"]


def test_all_disabled(v1: Path) -> None:
    """An app of which all functions are disabled is an app."""
    app = find_app(v1, {"AzureWebJobs.hello.Disabled": "1"})

    assert (app.model, app.functions) == ("v1", ())


def test_functions_of_host_json(v1: Path) -> None:
    """`functions` of host.json, or of settings, names the only ones that run."""
    (v1 / "other").mkdir()
    (v1 / "other" / "__init__.py").touch()
    write(v1 / "other" / "function.json", {"bindings": [HTTP_TRIGGER]})

    app = find_app(v1, {"AzureFunctionsJobHost__functions__0": "OTHER"})

    assert [f.name for f in app.functions] == ["other"]
    assert app.why_left_out("hello")
    assert not app.why_left_out("other")
