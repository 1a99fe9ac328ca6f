"""The Python that a worker's process runs on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from funcscope.contrib._local.app import WORKER_PACKAGES
from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.contrib._local.app import Model

MINIMUM_PYTHON = (3, 13)

_WITHIN_S = 60.0
_IN_ENVIRONMENT = ("bin/python", "Scripts/python.exe")
# Runs on any Python 3: it is what finds out which one that is.
_QUESTION = """
import importlib.util, json, sys
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "missing": [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None],
}))
"""
_DISTRIBUTIONS: Mapping[str, str] = {
    "azure_functions_runtime": "azure-functions-runtime",
    "azure_functions_runtime_v1": "azure-functions-runtime-v1",
}


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that a worker can run on."""

    path: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"Python {'.'.join(map(str, self.version))}"


def check_python() -> None:
    """
    Check that there can be a library worker for this Python.

    Raises:
        HostError: Python is too old.
    """
    if sys.version_info < MINIMUM_PYTHON:
        running = ".".join(map(str, sys.version_info[:3]))
        needed = ".".join(map(str, MINIMUM_PYTHON))
        raise HostError(
            f"this is Python {running}, and Microsoft's library workers need {needed} or later: "
            "install funcscope[host] for such a Python and use its `funcscope` command, "
            "or pass such a Python to --python"
        )


def own_interpreter() -> Interpreter:
    """Return the Python that runs this, which the command has checked."""
    return Interpreter(sys.executable, tuple(sys.version_info[:3]))


def environment_of(directory: Path, environment: Mapping[str, str]) -> Path | None:
    """
    Return an app's own virtual environment, `.venv`, None where it has none.

    Whoever has activated the environment that this runs in wants that one.

    Args:
        directory: The app's.
        environment: The environment variables that this runs with.
    """
    found, active = directory / ".venv", environment.get("VIRTUAL_ENV")
    own = Path(sys.prefix).resolve()
    is_chosen = active and Path(active).resolve() == own
    if is_chosen or found.resolve() == own or not (found / "pyvenv.cfg").is_file():
        return None
    return found


def has_worker(environment: Path) -> bool:
    """Tell whether a virtual environment has a library worker, without asking its Python."""
    places = ("lib/python*/site-packages", "Lib/site-packages")
    names = WORKER_PACKAGES.values()
    return any(any(environment.glob(f"{place}/{name}")) for place in places for name in names)


def find_interpreter(
    given: Path, model: Model, environment: Mapping[str, str], *, needs: tuple[str, ...] = ()
) -> Interpreter:
    """
    Find the Python that was asked for, and look whether an app's worker can run on it.

    Args:
        given: An interpreter, a command's name, or a virtual environment's directory.
        model: The app's programming model.
        environment: The environment variables that it will run with.
        needs: Other packages that have to be there, whose distributions have their names.

    Raises:
        HostError: It cannot be run, is too old, or lacks a package; the message says which.
    """
    path = _executable(given)
    answer = _ask(path, (WORKER_PACKAGES[model], *needs), environment)
    version = tuple(cast("list[int]", answer["version"]))
    found = Interpreter(path, version)
    if version < MINIMUM_PYTHON:
        needed = ".".join(map(str, MINIMUM_PYTHON))
        raise HostError(
            f"{path} is {found}, and Microsoft's library workers need {needed} or later: "
            "pass a newer one to --python"
        )
    if missing := cast("list[str]", answer["missing"]):
        names = " ".join(_DISTRIBUTIONS.get(name, name) for name in missing)
        raise HostError(f"{path} lacks {names}: {path} -m pip install {names}")
    return found


def _executable(given: Path) -> str:
    if given.is_dir():
        for name in _IN_ENVIRONMENT:
            if (given / name).is_file():
                return str((given / name).absolute())
        raise HostError(
            f"{given} is no virtual environment: it has no {' or '.join(_IN_ENVIRONMENT)}"
        )
    if given.is_file():
        return str(given.absolute())
    command = shutil.which(str(given)) if given.name == str(given) else None
    if command is None:
        raise HostError(
            f"there is no {given}: pass an interpreter or a virtual environment to --python"
        )
    return command


def _ask(path: str, modules: tuple[str, ...], environment: Mapping[str, str]) -> dict[str, object]:
    """Ask an interpreter for its version, and for which modules are not there."""
    try:
        done = subprocess.run(  # noqa: S603 -- what the user wants to be run
            [path, "-c", _QUESTION, *modules],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_WITHIN_S,
            text=True,
            check=False,
            env=environment,
            cwd=Path(path).anchor,  # with -c, modules are looked for there
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(f"{path} cannot be run as a Python interpreter: {error}") from error
    try:
        answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise HostError(f"{path} cannot be run as a Python interpreter: {said}") from error
    return answer
