"""Showing an app's errors without the frames of the worker that ran it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FRAME = re.compile(r'  File "(?P<file>[^"]*)", line \d+')
_NEXT_ERROR = re.compile(
    r"\n(?=\n(?:During handling of the above exception|The above exception was the direct cause))"
)
_HEADER = "Traceback (most recent call last):"
# The library workers wrap a failing import in a second error with this advice (loader.py).
_ADVICE = "Cannot find module. Please check the requirements.txt file for the missing module."


def app_traceback(stack_trace: str, directory: Path) -> str:
    """
    Reduce a formatted traceback to the app's own frames.

    Frames outside of the app's directory go; so does the second error that the library workers
    make of an ImportError. Where no frame is the app's, the error stands alone.
    """
    errors = _NEXT_ERROR.split(stack_trace.rstrip())
    if len(errors) > 1 and _ADVICE in errors[-1]:
        del errors[-1]
    return "\n".join(_keep_frames(error, str(directory)) for error in errors)


def _keep_frames(error: str, directory: str) -> str:
    shown: list[str] = []
    keep, has_app_frame = True, False
    for line in error.splitlines():
        frame = _FRAME.match(line)
        if frame is not None:
            keep = _is_inside(frame["file"], directory)
            has_app_frame = has_app_frame or keep
        elif not line.startswith("    "):
            keep = True
        if keep:
            shown.append(line)
    return "\n".join(line for line in shown if has_app_frame or line != _HEADER)


def _is_inside(file: str, directory: str) -> bool:
    return file.startswith(directory) and "site-packages" not in file.removeprefix(directory)
