"""Reading the JSON files of a function app, comments included, as the Functions host does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from funcscope.contrib._local.errors import AppError
from funcscope.extensions.integration import without_comments

if TYPE_CHECKING:
    from pathlib import Path


def read_json_object(path: Path) -> dict[str, object]:
    """
    Return the object in a JSON file, or an empty one where there is no such file.

    Raises:
        AppError: The file cannot be read, or does not hold a JSON object; the message says where.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise AppError(f"{path} cannot be read: {error}") from error
    try:
        value: object = json.loads(without_comments(text))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise AppError(f"{path} is not valid JSON: {place}: {error.msg}") from error
    if not isinstance(value, dict):
        raise AppError(f"{path} holds {type(value).__name__}: it must be a JSON object, {{…}}")
    return cast("dict[str, object]", value)


def get_object(parent: dict[str, object], key: str, path: Path) -> dict[str, object]:
    """
    Return the object under a key, or an empty one where the key is missing.

    Raises:
        AppError: What is there is not an object.
    """
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise AppError(f"{path}: {key!r} is {value!r}: it must be a JSON object, {{…}}")
    return cast("dict[str, object]", value)
