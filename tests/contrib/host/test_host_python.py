"""The app may run in an environment of its own, on a Python of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from tests.contrib.host.test_host_cli import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contrib.host.conftest import HostProcess

pytestmark = pytest.mark.library_worker


def runs(python: str) -> bool:
    """Tell whether an interpreter can be run: a version manager's stand-in may lead nowhere."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


NAMES = ["python3.12", "python3.11", "python3.10", "/usr/bin/python3.11"]
OLD = next(filter(runs, filter(None, map(shutil.which, NAMES))), None)

APP = """
import importlib.util, json, logging, sys
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("whoami")
def whoami(req):
    logging.info("a record")
    found = [n for n in ("google", "starlette", "rich") if importlib.util.find_spec(n)]
    funcscope = importlib.util.find_spec("funcscope")
    where = funcscope and list(funcscope.submodule_search_locations)
    return json.dumps({"prefix": sys.prefix, "found": found, "funcscope": where})
"""


def closure(name: str) -> set[str]:
    """List a distribution and all that it requires."""
    found = {name}
    for text in distribution(name).requires or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found |= closure(requirement.name)
    return found


def site_packages(environment: Path) -> Path:
    """Return where an environment's packages are."""
    scheme = "nt_venv" if sys.platform == "win32" else "posix_venv"
    return Path(sysconfig.get_path("purelib", scheme, {"base": str(environment)}))


def link(name: str, target: Path) -> None:
    """Have an environment use a distribution's files as they are installed here."""
    for file in distribution(name).files or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            (target / file).symlink_to(Path(str(file.locate())))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a virtual environment that has the library runtime, and nothing else."""
    directory = tmp_path_factory.mktemp("environment")
    venv.create(directory, symlinks=True, with_pip=False)
    for name in closure("azure-functions-runtime"):
        link(name, site_packages(directory))
    return directory


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Make an app that says where it runs."""
    (tmp_path / "function_app.py").write_text(APP, "utf-8")
    return tmp_path


@pytest.fixture
def host(
    run_host: Callable[..., HostProcess], environment: Path, directory: Path
) -> Iterator[HostProcess]:
    """Run it in that environment."""
    host = run_host(directory, "--python", str(environment), "--port", "0")
    yield host
    host.stop()


def test_an_environment_with_the_runtime_alone(host: HostProcess, environment: Path) -> None:
    """The app needs nothing of the host's, protobuf and funcscope included."""
    status, _, body = host.fetch("/api/whoami")

    assert status == 200, body
    assert json.loads(body) == {"prefix": str(environment), "found": [], "funcscope": None}
    host.wait_for("a record$")


def test_another_funcscope_in_it(environment: Path, host: HostProcess) -> None:
    """What drives the worker is the host's own, whatever funcscope the app has."""
    other = site_packages(environment) / "funcscope" / "contrib" / "host" / "_worker_process"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise RuntimeError('not this one')", "utf-8")
    try:
        status, _, body = host.fetch("/api/whoami")
    finally:
        shutil.rmtree(site_packages(environment) / "funcscope")

    assert status == 200, body
    assert json.loads(body)["funcscope"] == [str(site_packages(environment) / "funcscope")]


def test_the_interpreters_own_path_will_do(
    run_host: Callable[..., HostProcess], environment: Path, directory: Path
) -> None:
    """`--python` takes an interpreter as well as its environment."""
    python = site_packages(environment).parents[2] / "bin" / "python"
    if sys.platform == "win32":
        python = environment / "Scripts" / "python.exe"
    host = run_host(directory, "--python", str(python), "--port", "0")

    assert json.loads(host.fetch("/api/whoami")[2])["prefix"] == str(environment)


def test_the_apps_own_environment(
    run_host: Callable[..., HostProcess], environment: Path, directory: Path
) -> None:
    """An app's `.venv` is taken by itself, unless the command's environment is activated."""
    (directory / ".venv").symlink_to(environment, target_is_directory=True)
    own = run_host(directory, "--port", "0", VIRTUAL_ENV="")
    activated = run_host(directory, "--port", "0", VIRTUAL_ENV=sys.prefix)

    assert json.loads(own.fetch("/api/whoami")[2])["funcscope"] is None
    own.wait_for(r"^the app runs in its own environment, .*\.venv$")
    assert json.loads(activated.fetch("/api/whoami")[2])["prefix"] == sys.prefix


def test_an_own_environment_without_the_runtime(
    run_host: Callable[..., HostProcess], directory: Path
) -> None:
    """An app's `.venv` without a worker is left alone, and a line says what is missing."""
    venv.create(directory / ".venv", symlinks=True, with_pip=False)
    host = run_host(directory, "--port", "0", VIRTUAL_ENV="")

    assert json.loads(host.fetch("/api/whoami")[2])["prefix"] == sys.prefix
    host.wait_for(r"\.venv is not used, as it lacks azure-functions-runtime")


def test_an_environment_without_the_runtime(tmp_path: Path, directory: Path) -> None:
    """What is missing is named, with how to install it there."""
    venv.create(tmp_path / "empty", symlinks=True, with_pip=False)

    code, errors = run("run", directory, "--python", tmp_path / "empty")

    assert code == 1
    assert "lacks azure-functions-runtime: " in errors
    assert "-m pip install azure-functions-runtime" in errors


@pytest.mark.skipif(OLD is None, reason="no Python without library workers is here")
def test_a_python_that_is_too_old(directory: Path) -> None:
    """A Python that has no library worker is refused, with its version."""
    code, errors = run("run", directory, "--python", str(OLD))

    assert code == 1
    assert "is Python 3.1" in errors
    assert "need 3.13 or later" in errors


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere/python", "there is no nowhere/python: pass an interpreter"),
        (".", ". is no virtual environment: it has no bin/python"),
        (__file__, "cannot be run as a Python interpreter"),
    ],
)
def test_what_is_no_python(directory: Path, given: str, message: str) -> None:
    """A path that is no interpreter and no environment is told."""
    code, errors = run("run", directory, "--python", given)

    assert code == 1
    assert message in errors
