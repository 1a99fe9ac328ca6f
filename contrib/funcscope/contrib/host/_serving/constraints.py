"""
The inline constraints of route templates, such as `{id:int:min(1)}`.

Source: https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-constraints and
dotnet/aspnetcore, `src/Http/Routing/src/Constraints`, with .NET's `TryParse` of the invariant
culture.
"""

from __future__ import annotations

import re
import warnings
from datetime import datetime
from functools import cache, partial
from itertools import product
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

Constraint: TypeAlias = "Callable[[str], bool]"

_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,40}\s*", re.ASCII)  # int() refuses thousands of digits
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"  # with a comma in the place of thousands
_DECIMAL = re.compile(rf"\s*[+-]?(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)[+-]?\s*", re.ASCII)
_NUMBER = re.compile(
    rf"\s*(?:[+-]?(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|[+-]?infinity)\s*",
    re.ASCII | re.IGNORECASE,
)
_HEX = "[0-9a-f]"
_GUID = re.compile(
    rf"\s*(?:{_HEX}{{32}}|(?P<open>[{{(])?{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}[)}}]?)\s*",
    re.ASCII | re.IGNORECASE,
)


def parse_constraint(text: str) -> Constraint:
    """
    Return the test that a parameter's value has to pass.

    >>> parse_constraint("range(1,3)")("2")
    True

    Raises:
        HostError: There is no such constraint, or its arguments are wrong.
    """
    name, bracket, arguments = text.partition("(")
    if bool(bracket) != text.endswith(")"):
        raise HostError(f"route constraint {text!r} has unbalanced parentheses")
    name, arguments = name.strip().lower(), arguments.removesuffix(")")
    try:
        if name == "regex":
            return _regex(arguments)
        if bracket:
            return _ARGUMENTS[name](*[int(part) for part in arguments.split(",")])
        return _PLAIN[name]
    except re.error as error:
        raise HostError(
            f"route constraint {text!r} is no regular expression of Python's: {error}"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        known = ", ".join(sorted({*_PLAIN, *_ARGUMENTS, "regex"}))
        raise HostError(
            f"route constraint {text!r} is not known, or its arguments are wrong: "
            f"use one of {known}"
        ) from error


def accepts_absence(constraint: Constraint) -> bool:
    """Tell whether a constraint lets a parameter through that has no value."""
    return constraint is _PLAIN["nonfile"]


def _regex(pattern: str) -> Constraint:
    with warnings.catch_warnings():  # of what Python may read in another way one day
        warnings.simplefilter("ignore", FutureWarning)
        # .NET writes named groups in another way.
        compiled = re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", pattern), re.IGNORECASE)
    return lambda value: compiled.search(value) is not None


def _is_integer(value: str, *, bits: int) -> bool:
    limit = 1 << (bits - 1)
    return _INTEGER.fullmatch(value) is not None and -limit <= int(value) < limit


_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%m-%d-%Y", "%m/%d/%Y", "%m.%d.%Y", "%m/%d/%y"),
    *("%Y-%m", "%Y/%m", "%b %Y", "%B %Y", "%b %d", "%B %d", "%d-%b-%Y", "%d %b %Y", "%d %B %Y"),
    *("%b %d %Y", "%B %d %Y", "%b %d, %Y", "%B %d, %Y", "%a, %d %b %Y", "%A, %B %d, %Y"),
)
_TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M%p", "%I:%M:%S %p", "%I %p", "%I%p")


@cache
def _date_formats() -> tuple[str, ...]:
    """List what is read beside ISO 8601: dates, times and both."""
    both = (f"{date}{mark}{time}" for date, mark, time in product(_DATES, " T", _TIMES))
    return (*_DATES, *_TIMES, *both)


def _is_date(value: str) -> bool:
    text = " ".join(value.split())
    try:
        datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    except ValueError:
        text = re.sub(r"\s*(?:z|gmt|[+-]\d\d:\d\d)$", "", text, flags=re.IGNORECASE)
        return any(_fits(text, each) for each in _date_formats())
    return not re.fullmatch(r"\d+|.*[wW].*", text)  # .NET knows no weeks, and digits need marks


def _fits(text: str, form: str) -> bool:
    if not re.search("%[Yy]", form):  # a day of some year's, and this one has a 29 February
        text, form = f"1904 {text}", f"%Y {form}"
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 -- only whether it can be read
    except ValueError:
        return False
    return True


def _is_guid(value: str) -> bool:
    matched = _GUID.fullmatch(value)
    if matched is None:
        return False
    closing = {"{": "}", "(": ")", None: ""}[matched["open"]]
    end = value.strip()[-1]
    return end == closing if closing else end not in ")}"


def _length(least: int, most: float | None = None) -> Constraint:
    highest = least if most is None else most
    _check_order(0, least, highest)
    return lambda value: least <= len(value) <= highest


def _range(least: float, most: float) -> Constraint:
    _check_order(-inf, least, most)
    return lambda value: _is_integer(value, bits=64) and least <= int(value) <= most


def _check_order(*numbers: float) -> None:
    if list(numbers) != sorted(numbers):
        raise ValueError(f"{numbers} have no order")


def _is_boolean(value: str) -> bool:
    return value.strip().lower() in ("true", "false")


def _is_file(value: str) -> bool:
    """Tell whether a path's last part has a period with something else than periods after it."""
    _, period, extension = value.rpartition("/")[2].partition(".")
    return bool(period and extension.strip("."))


def _matches(pattern: re.Pattern[str]) -> Constraint:
    return lambda value: pattern.fullmatch(value) is not None


_PLAIN: dict[str, Constraint] = {
    "alpha": lambda value: value.isascii() and value.isalpha(),
    "bool": _is_boolean,
    "datetime": _is_date,
    "decimal": _matches(_DECIMAL),
    "double": _matches(_NUMBER),
    "file": _is_file,
    "float": _matches(_NUMBER),
    "guid": _is_guid,
    "int": lambda value: _is_integer(value, bits=32),
    "long": lambda value: _is_integer(value, bits=64),
    "nonfile": lambda value: not _is_file(value),
    "required": bool,
}

_ARGUMENTS: dict[str, Callable[..., Constraint]] = {
    "length": _length,
    "max": partial(_range, -inf),
    "maxlength": partial(_length, 0),
    "min": partial(_range, most=inf),
    "minlength": partial(_length, most=inf),
    "range": _range,
}
