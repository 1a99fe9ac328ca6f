"""Text without what differs from run to run, machine to machine and Python to Python."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FRAME = re.compile(r'^( *)File "(.+)", line \d+, in (.+)$')
_MARKERS = re.compile(r"^[ ~^]+$")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_REPLACED = [
    (re.compile(r"(?<=127\.0\.0\.1:)\d+"), "<port>"),
    (re.compile(r"\b\d+(?:\.\d+)?(?= ?ms\b)"), "<n>"),
    (re.compile(r"\b0x[0-9a-f]+\b"), "0x<n>"),
    (re.compile(r"(?<=, line )\d+"), "<n>"),
]


def stable(text: str, app: Path) -> str:
    """Replace paths, ports, durations, addresses and line numbers; shorten stacks."""
    text = _stack(text, app) if 'File "' in text else text
    for pattern, mark in _REPLACED:
        text = pattern.sub(mark, text)
    text = _UUID.sub(lambda id_: id_[0] if id_[0].startswith("00000000-") else "<uuid>", text)
    return text.replace(str(app), "<app>").replace(str(ROOT), "<repository>")


def _stack(text: str, app: Path) -> str:
    """
    Keep the app's frames, each with one line of source, and say whose the others are.

    What points at a part of the source, and how much source is shown, is each Python's own; how
    many frames libraries have is their own, and how many we have is not for a user to know.
    """
    kept: list[str] = []
    depth = -1  # of the frame whose source follows
    is_wanted = False
    for line in text.split("\n"):
        if frame := _FRAME.match(line):
            depth, owner = len(frame[1]), _owner(frame[2], app)
            is_wanted = owner.startswith("<app>")
            said = f'{frame[1]}File "{owner}", in {frame[3]}' if is_wanted else frame[1] + owner
            if is_wanted or kept[-1:] != [said]:
                kept.append(said)
        elif depth >= 0 and line.startswith(" " * (depth + 2)):
            if is_wanted and not _MARKERS.match(line):
                kept.append(line)
            is_wanted = False
        else:
            depth = -1
            kept.append(line)
    return "\n".join(kept)


def _owner(file: str, app: Path) -> str:
    """Say whose code a file is, and where in the app it is; our modules may move."""
    path = Path(file)
    if "site-packages" in path.parts:
        return "<libraries>"
    if path.is_relative_to(app):
        return f"<app>/{path.relative_to(app)}"
    if path.is_relative_to(ROOT / "tests"):
        return "<test driver>"
    return "<funcscope>" if path.is_relative_to(ROOT) else "<libraries>"
