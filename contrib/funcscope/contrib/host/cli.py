"""
The command `funcscope`.

It exists without the `host` extra, too: only then can it say what to install.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from funcscope.contrib._local.app import WORKER_PACKAGES
from funcscope.contrib._local.errors import AppError
from funcscope.contrib._local.printable import printable
from funcscope.contrib.host._console.choice import MODES
from funcscope.contrib.host._doctor.arguments import add_arguments
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._process_options import (
    add_process_arguments,
    choose_python,
    read_process_options,
)
from funcscope.contrib.host._worker.interpreter import check_python

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEEDED = ("opentelemetry.proto", "rich", "starlette", "uvicorn")
_FAILED, _UNUSABLE = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return the process's exit code."""
    options = _parser().parse_args(argv)
    if options.command == "doctor":  # it needs neither a worker nor the Python of one
        return _doctor(options)
    try:
        if options.command == "run":
            choose_python(options, os.environ)
        missing = [name for name in _needed(options) if importlib.util.find_spec(name) is None]
        if missing:
            _complain(f'{", ".join(missing)} not installed: pip install "funcscope[host]"')
            return _UNUSABLE
        return _run(options)
    except HostError as error:
        _complain(str(error))
        return _FAILED


def _needed(options: argparse.Namespace) -> list[str]:
    """List the packages that a command needs; HostError where it needs another Python."""
    needed: list[str] = [*_NEEDED]
    if options.command != "view" and options.python is None:  # else the worker is not run here
        check_python()
        needed.extend(WORKER_PACKAGES.values())
    if options.reload:
        needed.append("watchfiles")
    return needed


def _run(options: argparse.Namespace) -> int:
    # Imported here, where it is known that the extra is installed.
    from funcscope.contrib.host._run import run_app
    from funcscope.contrib.host._viewing import PageOptions, view_telemetry
    from funcscope.contrib.host.demo import run_demo

    if options.command == "view":
        return view_telemetry(options.port, view_port=options.view_port)
    if options.command == "demo":
        return run_demo()
    page = PageOptions(options.view_port) if options.view else None
    return run_app(
        options.app_dir,
        host=options.host,
        port=options.port,
        allowed_hosts=options.allow_host,
        page=page,
        traces=options.traces,
        is_verbose=options.verbose,
        worker=read_process_options(options),
    )


def _doctor(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("packaging") is None:
        _complain('packaging not installed: pip install "funcscope[host]"')
        return _UNUSABLE
    from funcscope.contrib.host._doctor.command import run_doctor

    try:
        return run_doctor(options)
    except AppError as error:
        _complain(str(error))
        return _UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="funcscope", description="Run a function app locally and see its traces."
    )
    parser.set_defaults(python=None, reload=False)
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('funcscope')}")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the function app in a directory")
    run.add_argument(
        "app_dir",
        type=Path,
        nargs="?",
        default=Path(),
        help="the function app's directory (%(default)s)",
    )
    run.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    run.add_argument(
        "--port", type=_port, help="0 for a free one (7071, or LocalHttpPort of the app)"
    )
    run.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that requests may give this server, .NAME with all below it",
    )
    add_process_arguments(run)
    _add_page(commands.add_parser("view", help="show what any OTLP/HTTP sender sends"), run)
    add_arguments(commands.add_parser("doctor", help="find what is wrong with an app's telemetry"))
    run.add_argument(
        "--traces",
        choices=MODES,
        default=MODES[0],
        help="which requests to show as trees; auto: alone, failed or slow ones (%(default)s)",
    )
    run.add_argument(
        "-v", "--verbose", action="store_true", help="show attributes, events and all log lines"
    )
    commands.add_parser("demo", help="run a sample app, call it and show its traces")
    return parser


def _add_page(view: argparse.ArgumentParser, run: argparse.ArgumentParser) -> None:
    view.add_argument("--port", type=_port, default=4318, help="to receive on (%(default)s)")
    run.add_argument("--view", action="store_true", help="serve the trace page on loopback")
    for command in (run, view):
        command.add_argument("--view-port", type=_port, help="the page's (7080, or a free one)")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 0 to 65535")
    return int(text)


def _complain(message: str) -> None:
    from funcscope.telemetry.integration import redact  # which most runs do not need

    # An app's traceback may stand in it.
    print(f"funcscope: {printable(redact(message))}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
