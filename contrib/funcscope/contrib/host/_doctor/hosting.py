"""What host.json and the functions' own files say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from funcscope.contrib.host._doctor import rules
from funcscope.contrib.host._doctor.rules import FilePlace, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from funcscope.contrib.host._doctor.app import ExaminedApp

_MODE = "telemetrymode"
_OPENTELEMETRY = "opentelemetry"
_MODES = (_OPENTELEMETRY, "applicationinsights")
_SILENT = ("error", "critical", "none")
_EMULATOR_KEY = "Eby8vdM02xNOcqF"  # the storage emulator's account has a key that everybody knows
_find_secret = re.compile(
    r"(AccountKey|SharedAccessKey|Password|Pwd|sig)=(?!%)[^;&\"'\s]{8,}", re.IGNORECASE
).search


def check_host(app: ExaminedApp) -> Iterator[Finding]:
    """Find what is wrong with an app's host.json, and with each function.json."""
    yield from _modes(app)
    yield from _filters(app)
    yield from _ignored(app)
    yield from _secrets(app)


def _modes(app: ExaminedApp) -> Iterator[Finding]:
    for path, value in _entries(app.host):
        name = path[-1]
        if name.lower() != _MODE:
            continue
        if len(path) > 1:
            yield Finding(
                rules.TELEMETRY_MODE_MISPLACED,
                _place(app.host_file, name),
                f"{'.'.join(path)} is not read by the host",
                'put "telemetryMode" at the root of host.json',
            )
        elif str(value).lower() not in _MODES:
            yield Finding(
                rules.TELEMETRY_MODE_UNKNOWN,
                _place(app.host_file, name),
                f"telemetryMode is {value!r}",
                'use "OpenTelemetry", or "ApplicationInsights", the default',
            )


def _filters(app: ExaminedApp) -> Iterator[Finding]:
    levels = _below(app.host, "logging", "loglevel")
    lowered = {name.lower(): str(level).lower() for name, level in levels.items()}
    for name, level in levels.items():
        category = name.lower()
        is_functions = category == "function" or category.startswith("function.")
        is_default = category == "default" and "function" not in lowered
        if (is_functions or is_default) and str(level).lower() in _SILENT:
            yield Finding(
                rules.LOG_FILTER,
                _place(app.host_file, name),
                f"logging.logLevel has {name}: {level}, so functions' records below that are lost",
                f'set "{name}": "Information", or "Function": "Information" beside it',
            )


def _ignored(app: ExaminedApp) -> Iterator[Finding]:
    is_otel = any(
        name.lower() == _MODE and str(value).lower() == _OPENTELEMETRY
        for name, value in app.host.items()
    )
    if is_otel and _below(app.host, "logging", "applicationinsights"):
        yield Finding(
            rules.INSIGHTS_SETTINGS_IGNORED,
            _place(app.host_file, "applicationInsights"),
            "the host reads nothing of logging.applicationInsights, sampling included, "
            "as telemetryMode is OpenTelemetry",
            "remove it; sample with OTEL_TRACES_SAMPLER or FUNCSCOPE_KEEP_RATIO",
        )


def _secrets(app: ExaminedApp) -> Iterator[Finding]:
    for file, content in {app.host_file: app.host, **app.functions}.items():
        for path, value in _entries(content):
            found = _find_secret(value) if isinstance(value, str) else None
            if found is not None and _EMULATOR_KEY not in str(value):
                yield Finding(
                    rules.SECRET_IN_FILE,
                    _place(file, path[-1]),
                    f"{'.'.join(path)} holds a secret ({found[1]}=…)",
                    "put it into an app setting, and name that setting here",
                )


def _entries(node: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield each entry of a JSON value with the way to it."""
    if isinstance(node, dict):
        for name, value in cast("dict[str, object]", node).items():
            yield (*path, name), value
            yield from _entries(value, (*path, name))
    elif isinstance(node, list):
        for value in cast("list[object]", node):
            yield from _entries(value, path)


def _below(node: Mapping[str, object], *names: str) -> Mapping[str, object]:
    """Return the object below names in any case, as the host's configuration reads them."""
    for name in names:
        values = (value for key, value in node.items() if key.lower() == name)
        value = next(values, None)
        node = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return node


def _place(file: Path, name: str) -> FilePlace:
    """Return the first line that has a name in quotes."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    return FilePlace(
        file, next((n for n, line in enumerate(lines, 1) if f'"{name}"' in line), None)
    )
