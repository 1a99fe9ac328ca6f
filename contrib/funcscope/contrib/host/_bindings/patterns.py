"""
Binding expressions: `%SETTING%` and `{name}` in the paths of bindings.

The rules are those of azure-webjobs-sdk, `BindingTemplateSource.cs` and
`BindingTemplateParser.cs`; the formats of dates and GUIDs are .NET's, as Microsoft's page "Azure
Functions binding expression patterns" has them.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, cast

from funcscope.contrib.host._storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SETTING = re.compile(r"%([^%]+)%")
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")
_DATE_PART = re.compile(r"'[^']*'|\\.|y+|M+|d+|H+|h+|m+|s+|f+|F+|t+|z+|K|.", re.DOTALL)
_DEFAULT_DATE = "yyyy-MM-ddTHH-mm-ssK"


def resolve_settings(text: str, settings: Mapping[str, str]) -> str:
    """
    Replace each `%SETTING%`.

    Raises:
        StorageError: There is no such setting.
    """

    def value_of(match: re.Match[str]) -> str:
        value = settings.get(match[1])
        if value is None:
            raise StorageError(f"{text!r} names the setting {match[1]!r}, which is not set")
        return value

    return _SETTING.sub(value_of, text)


def resolve(
    text: str,
    data: Mapping[str, object],
    settings: Mapping[str, str],
    *,
    now: datetime | None = None,
    new_guid: Callable[[], uuid.UUID] = uuid.uuid4,
) -> str:
    """
    Replace the settings and each `{expression}` in a path.

    Args:
        text: The path, or the name of a queue.
        data: What the trigger tells, by names in any case.
        settings: The app's settings.
        now: The moment of `{DateTime}`.
        new_guid: Makes a GUID for each `{rand-guid}`.

    Raises:
        StorageError: A setting is missing, or nothing is known by an expression's name.
    """
    moment = now or datetime.now(timezone.utc)

    def value_of(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]  # a doubled brace
        name, _, form = match[1].partition(":")
        name = name.strip().lower()
        if name in ("datetime", "sys.utcnow"):
            return format_date(moment, form or _DEFAULT_DATE)
        if name in ("rand-guid", "sys.randguid"):
            return _format_guid(new_guid(), form)
        return _as_text(_find(match[1].strip(), data, text))

    return _TOKEN.sub(value_of, resolve_settings(text, settings))


def _find(expression: str, data: Mapping[str, object], text: str) -> object:
    """Follow the names of an expression such as `order.id`, each in any case."""
    value = cast("object", data)
    for name in expression.split("."):
        fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        key = next((key for key in fields if key.lower() == name.lower()), None)
        if key is None:
            known = ", ".join(sorted(data)) or "nothing"
            raise StorageError(f"{text!r}: the trigger has no {expression!r}; it has {known}")
        value = fields[key]
    return value


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


def _format_guid(guid: uuid.UUID, form: str) -> str:
    dashed = str(guid)
    forms = {"N": guid.hex, "B": f"{{{dashed}}}", "P": f"({dashed})"}
    return forms.get(form.strip().upper(), dashed)


def format_date(moment: datetime, form: str) -> str:
    """
    Format a moment in .NET's way: `yyyy-MM-dd`.

    >>> format_date(datetime(2026, 1, 2, 15, 4, 5, tzinfo=timezone.utc), "yyyyMMdd'T'HHmm")
    '20260102T1504'
    """
    return "".join(_date_part(moment, part) for part in _DATE_PART.findall(form))


def _date_part(moment: datetime, part: str) -> str:
    if part[0] in "'\\":
        return part.strip("'").removeprefix("\\")
    if part[0] in "fF":
        return f"{moment.microsecond:06d}0"[: len(part)]
    return moment.strftime(_DIRECTIVES[part]) if part in _DIRECTIVES else _plain(moment, part)


def _plain(moment: datetime, part: str) -> str:
    """Return a number without a leading zero, and any other character as it is."""
    numbers = {"M": moment.month, "d": moment.day, "H": moment.hour, "m": moment.minute}
    numbers |= {"s": moment.second, "h": moment.hour % 12 or 12}
    return str(numbers.get(part, part))


_DIRECTIVES = {
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "dddd": "%A", "ddd": "%a",
    "dd": "%d", "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S", "tt": "%p", "K": "Z",
    "zzz": "+00:00",
}  # fmt: skip
"""What `strftime` calls the parts of .NET's formats; moments are in UTC."""


class BlobPattern:
    """
    The path of a blob trigger, which blobs match or not.

    Args:
        path: `container`, or `container/pattern` with names in braces; settings are resolved.

    Raises:
        StorageError: The path is none, or has names in its container.
    """

    def __init__(self, path: str) -> None:
        self.container, slash, self._pattern = path.strip("/").partition("/")
        self.path = path
        if not self.container or "\\" in self.container or "{" in self.container:
            raise StorageError(
                f"the path {path!r} is none of a container: write 'container/{{name}}'"
            )
        self._regex = re.compile(_capturing(self._pattern) if slash else ".*", re.DOTALL)

    @property
    def prefix(self) -> str:
        """How the names of all blobs that match begin."""
        return self._pattern.partition("{")[0]

    def match(self, name: str) -> dict[str, str] | None:
        """Return the parts of a blob's name by their names; None where it does not match."""
        match = self._regex.fullmatch(name)
        return None if match is None else dict(zip(self._names(), match.groups(), strict=True))

    def _names(self) -> list[str]:
        return [name for name in _TOKEN.findall(self._pattern) if name]


def _capturing(pattern: str) -> str:
    """Make a regular expression of a pattern; names match as much as they can."""
    parts: list[str] = []
    end = 0
    for token in _TOKEN.finditer(pattern):
        parts.append(re.escape(pattern[end : token.start()]))
        parts.append(re.escape(token[0][0]) if token[1] is None else "(.*)")
        end = token.end()
    return "".join([*parts, re.escape(pattern[end:])])
