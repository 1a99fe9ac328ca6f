"""An attribute's value as text of one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib._local.printable import printable_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_SHOWN = 200
"""The longest text of a value, in characters; what is longer is cut."""


def one_line(value: object, limit: int = MAX_SHOWN) -> str:
    """Return a value on one line, its white space as single spaces, cut where it is too long."""
    text = printable_line(" ".join(str(value)[: 4 * limit].split()))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def first_line(value: object) -> str:
    """Return the first line of a text that says something, cut where it is too long."""
    lines = (line for line in str(value).splitlines() if line.strip())
    return one_line(next(lines, ""))


def milliseconds(seconds: float) -> str:
    """Return a duration, such as `12.3 ms`."""
    return f"{seconds * 1000:.1f} ms"


def pairs(attributes: Mapping[str, object], *, without: Iterable[str] = ()) -> list[str]:
    """Return attributes as `name=value`, in the order of their names."""
    left_out = set(without)
    return [
        f"{name}={one_line(v)}" for name, v in sorted(attributes.items()) if name not in left_out
    ]
