"""An app's files as the doctor reads them; nothing of the app is imported (docs/decisions/062)."""

from __future__ import annotations

import ast
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion

from funcscope.contrib._local.app import explain_no_app, function_files, script_name
from funcscope.contrib._local.errors import AppError
from funcscope.contrib._local.host_json import HostJson
from funcscope.contrib._local.jsonfile import get_object, read_json_object, read_text
from funcscope.contrib.host._doctor.rules import FilePlace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST_MODULES = 2_000  # an app has tens; more is a folder of something else
_match_include = re.compile(r"^[ \t]*(?:-r|--requirement)[ \t=]*(\S+)", re.MULTILINE).finditer
_WHEEL = re.compile(r"(?:[^@\s]*[/\\])?([^/\\\s]+\.whl)(\[[\w.,-]*\])?$")
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "env"})


@dataclass(frozen=True, slots=True)
class Module:
    """
    A module of the app.

    Attributes:
        tree: None where the file cannot be parsed.
        problem: Why not, for people, and in which line.
    """

    path: Path
    tree: ast.Module | None
    problem: tuple[str, int | None] | None = None


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """
    A line of requirements.txt.

    Attributes:
        requirement: None where it cannot be parsed.
    """

    place: FilePlace
    text: str
    requirement: Requirement | None

    @property
    def name(self) -> str:
        """The package's normalised name; `""` where the line cannot be parsed."""
        name = "" if self.requirement is None else self.requirement.name
        return name.lower().replace("_", "-").replace(".", "-")


@dataclass(frozen=True, slots=True)
class ExaminedApp:
    """
    All that is known of an app.

    Attributes:
        python: The version that it will run on, such as `(3, 12)`.
        settings: App settings by name, as strings.
        settings_file: Where they were read.
        host: What host.json holds, or settings say in its place.
        requirements: What is required on that Python; None where there is no requirements.txt.
        requirement_files: The text of requirements.txt, and of those that it names by `-r`.
    """

    directory: Path
    python: tuple[int, int]
    is_v2: bool
    settings: Mapping[str, str]
    settings_file: Path
    host: Mapping[str, object]
    functions: Mapping[Path, Mapping[str, object]]
    requirements: tuple[RequirementLine, ...] | None
    requirement_files: Mapping[Path, str]
    modules: tuple[Module, ...]

    @property
    def host_file(self) -> Path:
        """The app's host.json, whether it is there or not."""
        return self.directory / "host.json"

    @property
    def script(self) -> Path:
        """The script of a v2 app."""
        return self.directory / script_name(self.settings)

    @property
    def trees(self) -> Iterator[tuple[Path, ast.Module]]:
        """The modules that could be parsed."""
        return ((module.path, module.tree) for module in self.modules if module.tree is not None)

    @property
    def environ(self) -> dict[str, str]:
        """What the worker's environment would be, for those who read settings from one."""
        return {**self.settings, "AzureWebJobsScriptRoot": str(self.directory)}

    def required(self, name: str) -> list[RequirementLine]:
        """Return the lines that require a package."""
        return [line for line in self.requirements or () if line.name == name]

    def is_on(self, setting: str) -> bool:
        """Tell whether a setting is true as the workers read it."""
        # utils/app_setting_manager.py, azure-functions-runtime 1.3.0
        return self.settings.get(setting, "").strip().lower() in ("1", "true", "t", "yes", "y")


def examine(directory: Path, python: tuple[int, int], settings_file: Path | None) -> ExaminedApp:
    """
    Read an app.

    Args:
        directory: The app's.
        python: The version that it will run on.
        settings_file: Deployed settings; None for those of local.settings.json.

    Raises:
        AppError: There is no app, or a file that is needed cannot be read.
    """
    directory = directory.resolve()
    if not directory.is_dir():
        raise AppError(f"{directory} is not a directory: pass the function app's directory")
    local = directory / "local.settings.json"
    settings = read_settings_file(settings_file) if settings_file else _local_settings(local)
    functions = {path: read_json_object(path) for path in function_files(directory)}
    is_v2 = (directory / script_name(settings)).is_file()
    if not (is_v2 or functions):
        raise AppError(explain_no_app(directory, script_name(settings)))
    files = dict(_requirement_files(directory / "requirements.txt"))
    return ExaminedApp(
        directory=directory,
        python=python,
        is_v2=is_v2,
        settings=settings,
        settings_file=settings_file or local,
        host=cast("dict[str, object]", HostJson.read(directory, settings).get()),
        functions=functions,
        requirements=tuple(_required(files, python)) if files else None,
        requirement_files=files,
        modules=tuple(_modules(directory)),
    )


def read_settings_file(path: Path) -> dict[str, str]:
    """
    Read deployed settings: an object of names, or the list that Azure's command line prints.

    `az functionapp config appsettings list` prints a list of objects with `name` and `value`.

    Raises:
        AppError: The file is neither; the message has none of its values.
    """
    text = read_text(path)
    if text is None:
        raise AppError(f"there is no {path}: pass a file of settings to --settings")
    try:
        content: object = json.loads(text)
    except ValueError as error:
        raise AppError(f"{path} cannot be read as JSON: {type(error).__name__}") from None
    if isinstance(content, dict):
        values = cast("dict[str, object]", content)
        return _as_strings(get_object(values, "Values", path) if "Values" in values else values)
    if isinstance(content, list) and all(
        isinstance(item, dict) and "name" in item for item in cast("list[object]", content)
    ):
        items = cast("list[dict[str, object]]", content)
        return _as_strings({str(item["name"]): item.get("value") for item in items})
    raise AppError(
        f"{path} holds no settings: it must be an object of names and values, or what "
        "`az functionapp config appsettings list` prints"
    )


def _local_settings(path: Path) -> dict[str, str]:
    return _as_strings(get_object(read_json_object(path), "Values", path))


def _as_strings(values: Mapping[str, object]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in values.items()}


def _requirement_files(
    path: Path, seen: frozenset[Path] = frozenset()
) -> Iterator[tuple[Path, str]]:
    """Yield a file's text, and those of the files that it includes; pip tells of missing ones."""
    text = read_text(path)
    if text is None:
        return
    yield path, text
    for included in _match_include(text):
        other = (path.parent / included[1]).resolve()
        if other not in seen:
            yield from _requirement_files(other, seen | {path, other})


def _required(files: Mapping[Path, str], python: tuple[int, int]) -> Iterator[RequirementLine]:
    environment = _environment(python)
    for path, text in files.items():
        for line in _requirement_lines(path, text.splitlines()):
            marker = None if line.requirement is None else line.requirement.marker
            if marker is None or marker.evaluate(environment):
                yield line


def _environment(python: tuple[int, int]) -> dict[str, str]:
    """Return what markers ask about, as it is where Azure runs Python: on Linux alone."""
    version = f"{python[0]}.{python[1]}"
    return {
        "os_name": "posix",
        "platform_system": "Linux",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }


def _requirement_lines(path: Path, lines: list[str]) -> Iterator[RequirementLine]:
    """Yield what is required; pip's own options, and URLs but a wheel's, are left to pip."""
    for number, line in enumerate(lines, start=1):
        text = line.split(" #", 1)[0].split("--hash", 1)[0].strip().rstrip("\\").strip()
        if not text or text.startswith(("#", "-")):
            continue
        requirement = _of_wheel(text)
        if requirement is None:
            if text.startswith((".", "/")) or "://" in text.split("@", 1)[0]:
                continue
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                if text.endswith((".whl", ".tar.gz", ".zip")):
                    continue
        yield RequirementLine(FilePlace(path, number), text, requirement)


def _of_wheel(text: str) -> Requirement | None:
    """Return what the name of a wheel's file says, with the extras that stand after it."""
    if (wheel := _WHEEL.match(text)) is None:
        return None
    try:
        name, version, *_ = parse_wheel_filename(wheel[1])
    except (InvalidWheelFilename, InvalidVersion):
        return None
    return Requirement(f"{name}{wheel[2] or ''}=={version}")


def _modules(directory: Path) -> Iterator[Module]:
    count = 0
    for folder, folders, files in os.walk(directory):
        folders[:] = sorted(f for f in folders if not _is_skipped(Path(folder, f)))
        for name in sorted(files):
            if name.endswith(".py"):
                count += 1
                if count > _MOST_MODULES:
                    raise AppError(
                        f"{directory} has more than {_MOST_MODULES:,} modules: "
                        "pass the function app's directory"
                    )
                yield _module(Path(folder, name))


def _is_skipped(folder: Path) -> bool:
    """Tell whether a folder holds what others wrote: hidden ones, environments, packages."""
    name = folder.name
    return name.startswith(".") or name in _SKIPPED or (folder / "pyvenv.cfg").is_file()


def _module(path: Path) -> Module:
    try:
        return Module(path, ast.parse(path.read_bytes()))
    except SyntaxError as error:
        return Module(path, None, (error.msg, error.lineno))
    except (OSError, ValueError, RecursionError) as error:  # a null byte, a file that is gone
        return Module(path, None, (str(error) or type(error).__name__, None))
