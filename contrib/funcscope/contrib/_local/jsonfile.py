"""Reading the JSON files of a function app as leniently as the Functions host does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from funcscope.contrib._local.errors import AppError
from funcscope.extensions.integration import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def read_json_object(
    path: Path, *, number: Callable[[str], object] | None = None
) -> dict[str, object]:
    """
    Return the object in a JSON file, or an empty one where the file is not there or is empty.

    Args:
        path: The file, as `read_text` takes it.
        number: Makes a number of its text; None for Python's own.

    Raises:
        AppError: The file cannot be read, or does not hold a JSON object; the message says where.
    """
    text = read_text(path) or ""
    if not text.strip():
        return {}
    try:
        # Line breaks and tabs may stand in strings: Newtonsoft takes them.
        value: object = json.loads(
            strict_json(text), strict=False, parse_int=number, parse_float=number
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise AppError(f"{path} is not valid JSON: {place}: {error.msg}") from error
    except RecursionError as error:
        raise AppError(f"{path} is nested too deeply") from error
    if not isinstance(value, dict):
        raise AppError(f"{path} holds {type(value).__name__}: it must be a JSON object, {{…}}")
    return cast("dict[str, object]", value)


def get_object(parent: Mapping[str, object], key: str, path: Path) -> dict[str, object]:
    """
    Return the object under a key of any case, or an empty one where the key is missing.

    Raises:
        AppError: What is there is not an object.
    """
    value = get_any_case(parent, key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise AppError(f"{path}: {key!r} is {describe(value)}: it must be a JSON object, {{…}}")
    return cast("dict[str, object]", value)


def get_any_case(parent: Mapping[str, object], key: str) -> object:
    """Return the value under a key, whatever its case; None where there is none."""
    if key in parent:
        return parent[key]
    return next((value for name, value in parent.items() if name.lower() == key.lower()), None)


def describe(value: object) -> str:
    """Name a value of JSON in a message; text may be a secret and is not shown."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"


def read_text(path: Path) -> str | None:
    """
    Return what a text file holds, None where it is not there.

    Args:
        path: The file: UTF-8, or UTF-16 and UTF-32 with a byte order mark, as PowerShell writes.

    Raises:
        AppError: It cannot be read.
    """
    try:
        content = path.read_bytes()
        return content.decode(json.detect_encoding(content)).removeprefix("\ufeff")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise AppError(f"{path} cannot be read: {error}") from error
