"""
App settings of a machine: `local.settings.json`, `.env` and the environment.

Source: azure-functions-core-tools, `AppSettingsFile.cs`, `HostStartSettings.cs` and
`StartHostAction.UpdateEnvironmentVariables`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from funcscope.contrib._local.errors import AppError
from funcscope.contrib._local.jsonfile import (
    describe,
    get_any_case,
    get_object,
    read_json_object,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOCAL_SETTINGS = "local.settings.json"
_DOTENV = ".env"


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """
    An app's settings on this machine.

    Attributes:
        values: By name; what the environment has goes before them.
        port: Where to listen, None where that is not said.
        cors_origins: The origins whose pages may call the app; `*` for all.
        allows_credentials: Whether such pages may send cookies.
        notes: What was left out, for people.
    """

    values: Mapping[str, str] = field(default_factory=dict[str, str])
    port: int | None = None
    cors_origins: tuple[str, ...] = ()
    allows_credentials: bool = False
    notes: tuple[str, ...] = ()


def read_local_settings(directory: Path) -> LocalSettings:
    """
    Read an app's `local.settings.json`, and `.env` for what that does not say.

    Raises:
        AppError: A file cannot be read, or something in it is not what it has to be.
    """
    path = directory / LOCAL_SETTINGS
    content = read_json_object(path, number=str)
    if _boolean(content, "IsEncrypted", path):
        raise AppError(f"{path} is encrypted: run `func settings decrypt` first")
    values, notes = _values(get_object(content, "Values", path), path)
    values.update(_connection_strings(get_object(content, "ConnectionStrings", path), path))
    _check_for_environment(values, path)
    host = get_object(content, "Host", path)
    origins = _origins(host, path)
    allows_credentials = _boolean(host, "CORSCredentials", path)
    if "*" in origins and allows_credentials:
        raise AppError(
            f"{path}: 'CORS' is '*' and 'CORSCredentials' is true: browsers send no credentials "
            "to a server that allows every origin, name the origins"
        )
    return LocalSettings(
        values={**_dotenv(directory / _DOTENV), **values},
        port=_port(host, path),
        cors_origins=origins,
        allows_credentials=allows_credentials,
        notes=notes,
    )


def find_setting(settings: Mapping[str, str], name: str) -> str | None:
    """
    Return a setting, whatever the case of its name; None where there is none.

    `:` in the name may be `__` in the settings, as .NET reads the environment.
    """
    for spelling in dict.fromkeys((name, name.replace(":", "__"))):
        value = get_any_case(settings, spelling)
        if isinstance(value, str):
            return value
    return None


def is_on(value: str | None) -> bool:
    """Tell whether a setting says yes: `1` or `true` (`IsSettingEnabled` of the WebJobs SDK)."""
    return value is not None and value.lower() in ("1", "true")


def _values(values: Mapping[str, object], path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return settings as text, as Newtonsoft reads them, and what is said of the others."""
    texts: dict[str, str] = {}
    notes: list[str] = []
    for name, value in values.items():
        if value is None:
            notes.append(f"{path}: setting {name!r} is null: it is left out")
        elif not name:
            notes.append(f"{path}: a setting has no name: it is left out")
        elif isinstance(value, bool):
            texts[name] = json.dumps(value)
        elif isinstance(value, str):
            texts[name] = value
        else:
            raise AppError(
                f"{path}: setting {name!r} is {describe(value)}: "
                "settings are strings, write it as text in quotes"
            )
    return texts, tuple(notes)


def _connection_strings(strings: Mapping[str, object], path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in strings.items():
        text = value
        if isinstance(value, dict):
            text = get_object(strings, name, path).get("ConnectionString")
        if not isinstance(text, str):
            raise AppError(
                f"{path}: connection string {name!r} is {describe(text)}: write a string"
            )
        found[f"ConnectionStrings:{name}"] = text
    return found


def _origins(host: Mapping[str, object], path: Path) -> tuple[str, ...]:
    value = get_any_case(host, "CORS")
    if value is None:
        return ()
    if not isinstance(value, str):
        raise AppError(
            f"{path}: 'CORS' is {describe(value)}: it must be a string, origins parted by commas"
        )
    origins = (origin.strip().rstrip("/").lower() for origin in value.split(","))
    return tuple(filter(None, origins))


def _port(host: Mapping[str, object], path: Path) -> int | None:
    value = get_any_case(host, "LocalHttpPort")
    if value is None:
        return None
    if isinstance(value, str) and value.strip().isdecimal() and int(value) <= 65535:
        return int(value) or None  # .NET's zero is no number given
    raise AppError(f"{path}: 'LocalHttpPort' is no port: use a number from 1 to 65535")


def _boolean(content: Mapping[str, object], key: str, path: Path) -> bool:
    value = get_any_case(content, key)
    if isinstance(value, bool) or value is None:
        return bool(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise AppError(f"{path}: {key!r} is {describe(value)}: it must be true or false")


def _dotenv(path: Path) -> dict[str, str]:
    """Read a `.env` file, if there is one and python-dotenv, which the extra `host` brings."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        found = dotenv_values(path, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AppError(f"{path} cannot be read: {error}") from error
    values = {name: value for name, value in found.items() if value is not None}
    _check_for_environment(values, path)
    return values


def _check_for_environment(values: Mapping[str, str], path: Path) -> None:
    """Check that the environment takes settings: it has no NUL, and no `=` in a name."""
    for name, value in values.items():
        try:
            taken = "=" not in name and "\0" not in name + value and bool(os.fsencode(name + value))
        except UnicodeEncodeError:  # half of a surrogate pair
            taken = False
        if not taken:
            raise AppError(
                f"{path}: setting {name!r} cannot be put into the environment: "
                "leave '=' out of its name, and characters that are none out of both"
            )
