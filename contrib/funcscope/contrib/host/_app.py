"""The function app in a directory, with its settings, as the host reads both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from funcscope.contrib._local.app import (
    entry_of,
    explain_no_app,
    function_files,
    is_trigger,
    script_name,
)
from funcscope.contrib._local.errors import raised_as
from funcscope.contrib._local.jsonfile import get_object, read_json_object
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._retry_policy import policy_from_json

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from pathlib import Path

    from funcscope.contrib._local.app import BindingDict, Model
    from funcscope.contrib.host._retry_policy import RetryPolicy


@dataclass(frozen=True, slots=True)
class FunctionFile:
    """A function of the v1 model: a folder with a `function.json`."""

    name: str
    directory: Path
    script: Path
    entry_point: str
    bindings: tuple[BindingDict, ...]
    retry: RetryPolicy | None = None


@dataclass(frozen=True, slots=True)
class FunctionApp:
    """
    A function app on disk; nothing of it has been imported yet.

    Attributes:
        functions: The functions of a v1 app; a v2 app's are known once it is imported.
        values: Settings from `local.settings.json`.
        route_prefix: What every HTTP route starts with, without slashes around it; may be empty.
    """

    directory: Path
    model: Model
    functions: tuple[FunctionFile, ...]
    values: Mapping[str, str]
    route_prefix: str

    def apply_values(self, environment: MutableMapping[str, str]) -> None:
        """Put the settings into the environment; what is set there already stays."""
        for name, value in self.values.items():
            environment.setdefault(name, value)


def find_app(directory: Path, environment: Mapping[str, str]) -> FunctionApp:
    """
    Find the function app in a directory.

    Raises:
        HostError: There is none, there are two, or one of its files is wrong.
    """
    with raised_as(HostError):
        return _read_app(directory.resolve(), environment)


def _read_app(directory: Path, environment: Mapping[str, str]) -> FunctionApp:
    if directory.is_file():
        raise HostError(f"{directory} is a file: pass its folder, {directory.parent}")
    if not directory.is_dir():
        raise HostError(f"{directory} is not a directory: pass the function app's directory")
    values = _read_values(directory / "local.settings.json")
    functions = _read_functions(directory)
    return FunctionApp(
        directory=directory,
        model=_model(directory, script_name({**values, **environment}), functions),
        functions=functions,
        values=values,
        route_prefix=_read_route_prefix(directory / "host.json"),
    )


def _model(directory: Path, script: str, functions: tuple[FunctionFile, ...]) -> Model:
    if not (directory / script).is_file():
        if not functions:
            raise HostError(explain_no_app(directory, script))
        return "v1"
    if functions:
        raise HostError(
            f"{directory} holds a v2 app ({script}) and a v1 app "
            f"({functions[0].name}/function.json): remove one of them, no worker runs both"
        )
    return "v2"


def _read_values(path: Path) -> dict[str, str]:
    settings = read_json_object(path)
    if settings.get("IsEncrypted") is True:
        raise HostError(f"{path} is encrypted: run `func settings decrypt` first")
    values = get_object(settings, "Values", path)
    for name, value in values.items():
        if not isinstance(value, str):
            raise HostError(
                f'{path}: setting {name!r} is {value!r}: settings are strings, write "{value}"'
            )
    return cast("dict[str, str]", values)


def _read_route_prefix(path: Path) -> str:
    extensions = get_object(read_json_object(path), "extensions", path)
    prefix = get_object(extensions, "http", path).get("routePrefix", "api")
    if not isinstance(prefix, str):
        raise HostError(f"{path}: 'routePrefix' is {prefix!r}: it must be a string")
    return prefix.strip("/")


def _read_functions(directory: Path) -> tuple[FunctionFile, ...]:
    files = [(path, read_json_object(path)) for path in function_files(directory)]
    return tuple(_read_function(path, f) for path, f in files if f.get("disabled") is not True)


def _read_function(path: Path, file: dict[str, object]) -> FunctionFile:
    bindings = file.get("bindings")
    if not isinstance(bindings, list) or not bindings:
        raise HostError(f"{path} has no list of 'bindings': give it at least a trigger")
    for binding in cast("list[object]", bindings):
        _check_binding(binding, path)
    if not any(is_trigger(binding) for binding in cast("list[BindingDict]", bindings)):
        raise HostError(f"{path} has no trigger: add a binding such as 'httpTrigger'")
    script_file, entry_point = entry_of(path, file)
    script = (path.parent / script_file).resolve()
    if not script.is_file():
        raise HostError(f"{path}: the script {script_file!r} does not exist")
    return FunctionFile(
        name=path.parent.name,
        directory=path.parent,
        script=script,
        entry_point=entry_point,
        bindings=tuple(cast("list[BindingDict]", bindings)),
        retry=_read_retry(path, file.get("retry")),
    )


def _read_retry(path: Path, retry: object) -> RetryPolicy | None:
    try:
        return None if retry is None else policy_from_json(retry)
    except HostError as error:
        raise HostError(f"{path}: {error}") from error


def _check_binding(binding: object, path: Path) -> None:
    fields = cast("dict[str, object]", binding) if isinstance(binding, dict) else {}
    for key in ("type", "name", "direction"):
        if not isinstance(fields.get(key), str):
            raise HostError(f"{path}: binding {binding!r} lacks the string {key!r}")
    if fields["direction"] not in ("in", "out", "inout"):
        raise HostError(
            f"{path}: direction {fields['direction']!r} of binding {fields['name']!r} "
            "is not known: use 'in' or 'out'"
        )
