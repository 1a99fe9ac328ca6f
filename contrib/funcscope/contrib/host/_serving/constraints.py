"""
The inline constraints of route templates, such as `{id:int:min(1)}`.

Source: https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-constraints.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from functools import partial
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

Constraint: TypeAlias = "Callable[[str], bool]"

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")  # int() refuses thousands of digits
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


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
    try:
        if name == "regex":
            return _regex(arguments.removesuffix(")"))
        if bracket:
            return _ARGUMENTS[name](*[int(part) for part in arguments.removesuffix(")").split(",")])
        return _PLAIN[name]
    except (KeyError, TypeError, ValueError, re.error) as error:
        known = ", ".join(sorted({*_PLAIN, *_ARGUMENTS, "regex"}))
        raise HostError(f"route constraint {text!r} is not known: use one of {known}") from error


def _regex(pattern: str) -> Constraint:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda value: compiled.search(value) is not None


def _is_integer(value: str, *, bits: int) -> bool:
    limit = 1 << (bits - 1)
    return _INTEGER.fullmatch(value) is not None and -limit <= int(value) < limit


def _is_date(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_guid(value: str) -> bool:
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return True


def _length(least: int, most: float | None = None) -> Constraint:
    return lambda value: least <= len(value) <= (least if most is None else most)


def _range(least: float, most: float) -> Constraint:
    return lambda value: _is_integer(value, bits=64) and least <= int(value) <= most


def _is_number(value: str) -> bool:
    return _NUMBER.fullmatch(value) is not None


_PLAIN: dict[str, Constraint] = {
    "alpha": lambda value: value.isascii() and value.isalpha(),
    "bool": lambda value: value.lower() in ("true", "false"),
    "datetime": _is_date,
    "decimal": _is_number,
    "double": _is_number,
    "float": _is_number,
    "guid": _is_guid,
    "int": lambda value: _is_integer(value, bits=32),
    "long": lambda value: _is_integer(value, bits=64),
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
