"""What the command's options say of the worker's process."""

from __future__ import annotations

import argparse
import importlib.util
import ipaddress
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._worker.interpreter import (
    environment_of,
    find_interpreter,
    has_worker,
    own_interpreter,
)
from funcscope.contrib.host._worker_process.serving import Debugger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.contrib._local.app import Model
    from funcscope.contrib.host._worker.interpreter import Interpreter

_DEBUGGER = "debugpy"


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """
    Options of `funcscope run` for the worker's process.

    Attributes:
        python: An interpreter or a virtual environment's directory; None for the command's own.
        functions: The names of the functions to load; empty for all.
        reloads: Whether the app is loaded again when its files change.
        debugger: Where a debugger can connect; None for nowhere.
        is_verbose: Whether the worker's own log records are shown.
        notes: What to say of how these were chosen.
    """

    python: Path | None = None
    functions: tuple[str, ...] = ()
    reloads: bool = False
    debugger: Debugger | None = None
    is_verbose: bool = False
    notes: tuple[str, ...] = ()

    def interpreter(self, model: Model, environment: Mapping[str, str]) -> Interpreter:
        """
        Find the Python to run the worker on.

        Raises:
            HostError: It is not there, is too old or lacks a package.
        """
        needs = (_DEBUGGER,) if self.debugger else ()
        if self.python is not None:
            return find_interpreter(self.python, model, environment, needs=needs)
        if needs and importlib.util.find_spec(_DEBUGGER) is None:
            python = sys.executable
            raise HostError(f"{python} lacks {_DEBUGGER}: {python} -m pip install {_DEBUGGER}")
        return own_interpreter()

    def warnings(self) -> list[str]:
        """Say what is risky."""
        if self.debugger is None or _is_loopback(self.debugger.host):
            return []
        return [f"whoever can reach {self.debugger.host} can run code here through the debugger"]


def add_process_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the worker's process to a command's."""
    parser.add_argument(
        "--python",
        type=Path,
        metavar="PATH",
        help="an interpreter or a virtual environment's directory for the app, which needs "
        "azure-functions-runtime there, not funcscope (the app's .venv, or this command's)",
    )
    parser.add_argument(
        "--functions", nargs="+", default=[], metavar="NAME", help="load these functions alone"
    )
    parser.add_argument(
        "--reload", action="store_true", help="load the app again when its files change"
    )
    parser.add_argument(
        "--debug",
        type=_address,
        metavar="[HOST:]PORT",
        help="let a debugger connect to the app there, by debugpy; functionTimeout is off then",
    )
    parser.add_argument(
        "--debug-wait", action="store_true", help="import the app when a debugger has connected"
    )


def choose_python(options: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """
    Take an app's own `.venv` where no Python is asked for, if a worker can run there.

    Args:
        options: What has been parsed; gets `python`, and `python_note`.
        environment: The environment variables that this runs with.
    """
    options.python_note = ""
    found = environment_of(options.app_dir, environment) if options.python is None else None
    if found is None:
        return
    if has_worker(found):
        options.python = found
        options.python_note = f"the app runs in its own environment, {found}"
    else:
        options.python_note = (
            f"{found} is not used, as it lacks azure-functions-runtime: "
            "install that there to run the app in it"
        )


def read_process_options(options: argparse.Namespace) -> ProcessOptions:
    """
    Read what has been parsed.

    Raises:
        HostError: Two options do not go together.
    """
    debugger: Debugger | None = options.debug
    if options.debug_wait and debugger is None:
        raise HostError("--debug-wait needs --debug [HOST:]PORT")
    return ProcessOptions(
        python=options.python,
        functions=tuple(options.functions),
        reloads=options.reload,
        debugger=debugger and debugger._replace(is_awaited=options.debug_wait),
        is_verbose=getattr(options, "verbose", False),
        notes=(options.python_note,) if options.python_note else (),
    )


def _address(text: str) -> Debugger:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not [HOST:]PORT: use a port from 0 to 65535, such as 5678"
        )
    return Debugger(host.strip("[]") or "127.0.0.1", int(port))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
