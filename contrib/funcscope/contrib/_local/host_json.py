"""
An app's `host.json`, with what its settings say instead.

A setting `AzureFunctionsJobHost__logging__logLevel__default` goes before the value at
`logging.logLevel.default`; names are of any case. Source: azure-functions-host,
`HostJsonFileConfigurationSource.cs`, whose values .NET's environment variables override.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar, cast

from funcscope.contrib._local.errors import AppError
from funcscope.contrib._local.jsonfile import describe, get_any_case, read_json_object
from funcscope.contrib._local.timespan import parse_timespan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

HOST_JSON = "host.json"
_OVERRIDE = re.compile(r"AzureFunctionsJobHost(?:__|:)(.+)", re.IGNORECASE)

T = TypeVar("T")


class HostJson:
    """
    What an app says in `host.json`.

    Args:
        path: The file.
        content: What it holds.
        settings: App settings, the environment's included.

    Attributes:
        says_something: Whether the file has content of its own.
    """

    def __init__(
        self, path: Path, content: Mapping[str, object], settings: Mapping[str, str]
    ) -> None:
        self.path = path
        self.says_something: bool = bool(content)
        self._content = deepcopy(dict(content))
        for name, value in settings.items():
            if matched := _OVERRIDE.fullmatch(name):
                self._override(re.split("__|:", matched[1]), value)

    @classmethod
    def read(cls, directory: Path, settings: Mapping[str, str]) -> HostJson:
        """
        Read the `host.json` in an app's directory; there need not be one.

        Raises:
            AppError: It holds no JSON object.
        """
        path = directory / HOST_JSON
        return cls(path, read_json_object(path), settings)

    def get(self, *keys: str) -> object:
        """
        Return the value at a place, None where there is none; text where a setting gives it.

        Raises:
            AppError: Something on the way is no object.
        """
        found: Any = self._content
        for index, key in enumerate(keys):
            if found is None:
                return None
            found = get_any_case(self._object(keys[:index], found), key)
        return found

    def section(self, *keys: str) -> dict[str, object]:
        """
        Return the object at a place, an empty one where there is none.

        Raises:
            AppError: There is something else.
        """
        value = self.get(*keys)
        return {} if value is None else self._object(keys, value)

    def items(self, *keys: str) -> list[object] | None:
        """
        Return the list at a place, None where there is none.

        Raises:
            AppError: There is something else.
        """
        value = self.get(*keys)
        if isinstance(value, dict):  # of settings, such as AzureFunctionsJobHost__functions__0
            return list(cast("dict[str, object]", value).values())
        if value is None or isinstance(value, list):
            return cast("list[object] | None", value)
        raise self._error(keys, value, "it must be a list, […]")

    def text(self, *keys: str, default: str) -> str:
        """
        Return the text at a place.

        Raises:
            AppError: There is something else.
        """
        return self._read(keys, default, _text, "it must be a string")

    def integer(self, *keys: str, default: int) -> int:
        """
        Return the whole number at a place.

        Raises:
            AppError: There is something else.
        """
        return self._read(keys, default, _integer, "it must be a whole number")

    def boolean(self, *keys: str, default: bool) -> bool:
        """
        Return the truth value at a place.

        Raises:
            AppError: There is something else.
        """
        return self._read(keys, default, _boolean, "it must be true or false")

    def seconds(self, *keys: str, default: float) -> float:
        """
        Return the time span at a place in seconds, as `parse_timespan` reads it.

        Raises:
            AppError: There is something else.
        """
        return self._read(keys, default, _seconds, "it must be a time span such as '00:05:00'")

    def _read(
        self, keys: tuple[str, ...], default: T, read: Callable[[object], T | None], advice: str
    ) -> T:
        value = self.get(*keys)
        if value is None:
            return default
        found = read(value)
        if found is None:
            raise self._error(keys, value, advice)
        return found

    def _override(self, keys: list[str], value: str) -> None:
        """Put a setting's value into its place; what leads there becomes an object."""
        parent = self._content
        for key in keys[:-1]:
            parent = _branch(parent, key)
        parent[_own_key(parent, keys[-1])] = value

    def _object(self, keys: tuple[str, ...], value: object) -> dict[str, object]:
        if not isinstance(value, dict):
            raise self._error(keys, value, "it must be a JSON object, {…}")
        return cast("dict[str, object]", value)

    def _error(self, keys: tuple[str, ...], value: object, advice: str) -> AppError:
        place = ".".join(keys[:-1])
        where = f" in {place!r}" if place else ""
        return AppError(f"{self.path}: {keys[-1]!r} is {describe(value)}{where}: {advice}")


def _branch(parent: dict[str, object], key: str) -> dict[str, object]:
    """Return the object under a key; a list becomes one, its keys are numbers as .NET has them."""
    key = _own_key(parent, key)
    child = parent.get(key)
    if isinstance(child, list):
        child = {str(index): each for index, each in enumerate(cast("list[object]", child))}
    if not isinstance(child, dict):
        child = dict[str, object]()
    parent[key] = child
    return cast("dict[str, object]", child)


def _own_key(parent: Mapping[str, object], key: str) -> str:
    """Return a key in the case in which it stands there."""
    return next((name for name in parent if name.lower() == key.lower()), key)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: object) -> int | None:
    is_number = not isinstance(value, bool) and re.fullmatch(r"\s*-?\d{1,18}\s*", str(value))
    return int(str(value)) if is_number else None


def _boolean(value: object) -> bool | None:
    return {"true": True, "false": False}.get(str(value).strip().lower())


def _seconds(value: object) -> float | None:
    span = parse_timespan(str(value))
    return None if span is None else span.total_seconds()
