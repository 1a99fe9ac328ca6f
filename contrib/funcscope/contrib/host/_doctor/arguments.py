"""The arguments of `funcscope doctor`, which are there without the extra `host` too."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from funcscope.contrib.host._doctor.reports import FORMATS
from funcscope.contrib.host._doctor.rules import Severity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "app_dir", type=Path, nargs="?", default=Path(), help="the app's directory (%(default)s)"
    )
    parser.add_argument(
        "--python-version",
        type=_python_version,
        default=sys.version_info[:2],
        metavar="3.N",
        help="the Python that the app will run on (the one that runs this)",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="deployed settings, as `az functionapp config appsettings list` prints them "
        "(those of local.settings.json)",
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="(%(default)s)")
    parser.add_argument(
        "--fail-on",
        choices=[severity.label for severity in Severity],
        default="error",
        help="the least severity that makes the exit code 1 (%(default)s)",
    )


def _python_version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if major != "3" or not minor.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no version of Python: write 3.13")
    return 3, int(minor)
