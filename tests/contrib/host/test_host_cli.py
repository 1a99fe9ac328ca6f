"""The command says clearly what is wrong, and starts nothing then."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from tests.patience import PROCESS_S

from funcscope.contrib.host import HostError
from funcscope.contrib.host._host import listen
from funcscope.contrib.host.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contrib.host.conftest import HostProcess

needs_worker = pytest.mark.library_worker


def run(*arguments: str | Path) -> tuple[int, str]:
    """Run the command to its end; return the exit code and what it wrote to standard error."""
    command = [sys.executable, "-m", "funcscope.contrib.host.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROCESS_S, check=False)
    return done.returncode, done.stderr


def run_app(directory: Path, script: str) -> tuple[int, str]:
    """Run a v2 app of one script on a free port, in the expectation that it does not start."""
    (directory / "function_app.py").write_text(script, encoding="utf-8")
    return run("run", directory, "--port", "0")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The command tells its version."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"funcscope {version('funcscope')}\n"


def test_help_says_what_to_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """The app's directory may be left out: it is the current one then."""
    with pytest.raises(SystemExit):
        main(["run", "--help"])

    output = " ".join(capsys.readouterr().out.split())
    assert "[app_dir]" in output
    assert "the function app's directory (.)" in output


@needs_worker
def test_no_directory_is_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a directory, the app is looked for where the command is run."""
    monkeypatch.chdir(tmp_path)

    assert main(["run"]) == 1
    assert f"no function app in {tmp_path}: " in capsys.readouterr().err


@needs_worker
def test_no_app(tmp_path: Path) -> None:
    """A directory without an app is one line and exit code 1."""
    code, errors = run("run", tmp_path)

    assert code == 1
    assert re.fullmatch(f"funcscope: no function app in {tmp_path}: expected .*\n", errors)


@needs_worker
def test_wrong_settings_file(tmp_path: Path) -> None:
    """Invalid JSON is one line with its place."""
    (tmp_path / "host.json").write_text("{", encoding="utf-8")
    code, errors = run_app(tmp_path, "")

    assert code == 1
    assert re.fullmatch("funcscope: .*host.json is not valid JSON: line 1, column 2: .*\n", errors)


@needs_worker
def test_port_in_use(tmp_path: Path) -> None:
    """A port in use is told before the app is imported."""
    (tmp_path / "function_app.py").write_text("print('imported')", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, errors = run("run", tmp_path, "--port", str(port))

    assert code == 1
    assert f"port {port} on 127.0.0.1 is in use: stop what uses it, or pass another" in errors
    assert "imported" not in errors


def test_port_taken_by_another_host_that_is_starting() -> None:
    """The port is taken from the start, not only when requests are served."""
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(HostError, match=f"port {port} on 127.0.0.1 is in use"):
            listen("127.0.0.1", port)


@needs_worker
def test_unknown_address(tmp_path: Path) -> None:
    """An address that this machine does not have is told, too."""
    (tmp_path / "function_app.py").touch()

    code, errors = run("run", tmp_path, "--host", "192.0.2.1")

    assert code == 1
    assert "cannot listen on '192.0.2.1', port 7071" in errors


@needs_worker
def test_app_that_fails_to_import(tmp_path: Path) -> None:
    """An error in the app is shown with the app's own frames and no others."""
    (tmp_path / "prices.py").write_text("PRICE = 1 / 0", encoding="utf-8")

    code, errors = run_app(tmp_path, "import prices\n")

    assert code == 1
    assert f"the app in {tmp_path} cannot be loaded" in errors
    assert re.findall('File "(.*)", line', errors) == [
        str(tmp_path / "function_app.py"),
        str(tmp_path / "prices.py"),
    ]
    assert errors.endswith("ZeroDivisionError: division by zero\n")


@needs_worker
def test_app_that_lacks_a_module(tmp_path: Path) -> None:
    """A missing module is told once, without the worker's advice and search path."""
    code, errors = run_app(tmp_path, "import nowhere_to_be_found\n")

    assert code == 1
    assert errors.endswith("ModuleNotFoundError: No module named 'nowhere_to_be_found'\n")
    assert errors.count("ModuleNotFoundError") == 1
    assert "sys.path" not in errors


@needs_worker
def test_app_that_lacks_a_module_and_has_an_environment(tmp_path: Path) -> None:
    """Where the app has an environment, the option that uses it is named."""
    (tmp_path / ".venv").mkdir()

    code, errors = run_app(tmp_path, "import nowhere_to_be_found\n")

    assert code == 1
    assert f"has an environment of its own: pass --python {tmp_path / '.venv'}\n" in errors


@needs_worker
def test_app_with_a_syntax_error(tmp_path: Path) -> None:
    """A syntax error is shown with its line."""
    code, errors = run_app(tmp_path, "def broken(:\n")

    assert code == 1
    assert 'function_app.py", line 1\n    def broken(:\n' in errors
    assert "SyntaxError" in errors


@needs_worker
def test_app_that_exits(tmp_path: Path) -> None:
    """An app that ends the process while it is imported is named as what did it."""
    code, errors = run_app(tmp_path, "import sys\nsys.exit(3)\n")

    assert code == 1
    assert "ended the process while it was imported (SystemExit: 3)" in errors


HEAD = "import azure.functions as func\napp = func.FunctionApp()\n"


@needs_worker
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("", "Could not find top level function app instances in function_app.py"),
        (HEAD, "has no functions: decorate one, for example with @app.route()"),
        (
            f"{HEAD}@app.route(route='a')\ndef hello(wrong): ...\n",
            "cannot load the hello function: the following parameters are declared in Python",
        ),
        (
            f"{HEAD}@app.route(route='a/{{b:nope}}')\ndef hello(req): ...\n",
            "function 'hello': route constraint 'nope' is not known",
        ),
    ],
)
def test_app_that_cannot_be_indexed(tmp_path: Path, script: str, message: str) -> None:
    """What is wrong with an app's functions is told without any of the worker's frames."""
    code, errors = run_app(tmp_path, script)

    assert code == 1
    assert message in errors
    assert "Traceback" not in errors


@needs_worker
def test_v1_function_that_fails_to_import(tmp_path: Path) -> None:
    """A v1 function that cannot be loaded is named, with its own traceback."""
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "__init__.py").write_text("raise ValueError('bad')", encoding="utf-8")
    (tmp_path / "hello" / "function.json").write_text(
        '{"bindings": [{"type": "httpTrigger", "direction": "in", "name": "req"}]}', "utf-8"
    )

    code, errors = run("run", tmp_path, "--port", "0")

    assert code == 1
    assert "function 'hello' cannot be loaded" in errors
    assert errors.endswith("line 1, in <module>\n    raise ValueError('bad')\nValueError: bad\n")


@needs_worker
def test_some_functions_alone(run_host: Callable[..., HostProcess]) -> None:
    """`--functions` serves those that it names, in any case of their letters."""
    host = run_host("host_v2", "--port", "0", "--functions", "Echo", "fail")

    names = [each["name"] for each in json.loads(host.fetch("/admin/functions")[2])]
    assert sorted(names) == ["echo", "fail"]


@needs_worker
def test_functions_that_are_not_there(tmp_path: Path) -> None:
    """An unknown name is told with those that the app has."""
    (tmp_path / "function_app.py").write_text(
        f"{HEAD}@app.route(route='a')\ndef hello(req): ...\n", encoding="utf-8"
    )

    code, errors = run("run", tmp_path, "--functions", "helo", "--port", "0")

    assert code == 1
    assert "there is no function 'helo': the app has 'hello'" in errors


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_wrong_port(port: str) -> None:
    """What is no port is refused by the parser."""
    code, errors = run("run", ".", f"--port={port}")

    assert code == 2
    assert f"{port!r} is not a port: use a number from 0 to 65535" in errors


def test_old_python() -> None:
    """A Python without library workers is told which one is needed."""
    script = (
        "import sys; sys.version_info = (3, 12, 1, 'final', 0); "
        "from funcscope.contrib.host.cli import main; sys.exit(main(['run', '.']))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROCESS_S, check=False)

    assert done.returncode == 1
    assert "need 3.13 or later" in done.stderr


@needs_worker
@pytest.mark.parametrize("name", ["rich", "starlette", "uvicorn", "azure_functions_runtime_v1"])
def test_missing_extra(name: str) -> None:
    """Without the extra, the command still starts, and one line says what to install."""
    script = (
        f"import sys; sys.modules[{name!r}] = None; "
        "from funcscope.contrib.host.cli import main; sys.exit(main(['demo']))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROCESS_S, check=False)

    assert done.returncode == 2
    assert done.stderr == f'funcscope: {name} not installed: pip install "funcscope[host]"\n'


@pytest.mark.parametrize(
    ("command", "named"),
    [("view", "opentelemetry.proto, rich, starlette, uvicorn"), ("doctor", "packaging")],
)
def test_missing_all_of_the_extra(command: str, named: str) -> None:
    """Where nothing of the extra is installed, the command starts all the same, and says so."""
    extra = ("google.protobuf", "h11", "opentelemetry.proto", "packaging", "rich", "starlette",
             "uvicorn")  # fmt: skip
    script = (
        f"import sys; sys.modules |= dict.fromkeys({extra!r}); "
        f"from funcscope.contrib.host.cli import main; sys.exit(main([{command!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=PROCESS_S,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr == f'funcscope: {named} not installed: pip install "funcscope[host]"\n'
