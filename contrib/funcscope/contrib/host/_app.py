"""The function app in a directory, with its settings, as the host reads both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from funcscope.contrib._local.app import explain_no_app, function_files, script_name
from funcscope.contrib._local.errors import raised_as
from funcscope.contrib._local.function_json import (
    declaration_of,
    read_functions,
    why_left_out,
)
from funcscope.contrib._local.host_json import HostJson
from funcscope.contrib._local.settings import LocalSettings, read_local_settings
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._retry_policy import policy_from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping
    from pathlib import Path

    from funcscope.contrib._local.app import BindingDict, Model
    from funcscope.contrib.host._retry_policy import RetryPolicy

DEFAULT_ROUTE_PREFIX = "api"


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
        values: Settings from `local.settings.json` and `.env`.
        route_prefix: What every HTTP route starts with, without slashes around it; may be empty.
        host_json: Its `host.json`, with what settings say instead.
        local: What `local.settings.json` says for the host.
        settings: The values, and the environment, which goes before them.
        problems: What is wrong with functions that are left out, for people.
        notes: What else is left out, for people.
    """

    directory: Path
    model: Model
    functions: tuple[FunctionFile, ...]
    values: Mapping[str, str]
    route_prefix: str
    host_json: HostJson
    local: LocalSettings
    settings: Mapping[str, str]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def apply_values(self, environment: MutableMapping[str, str]) -> None:
        """Put the settings into the environment; what is set there already stays."""
        for name, value in self.values.items():
            environment.setdefault(name, value)

    def why_left_out(self, name: str) -> str:
        """Say why settings leave a function out, `""` where they do not."""
        return why_left_out(name, None, self.host_json, self.settings)


def find_app(directory: Path, environment: Mapping[str, str]) -> FunctionApp:
    """
    Find the function app in a directory.

    A function that is wrong is left out, as the host does, where another one is right.

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
    local = read_local_settings(directory)
    settings = {**local.values, **environment}
    host_json = HostJson.read(directory, settings)
    files = function_files(directory)
    model = _model(directory, script_name(settings), files)
    found = read_functions(files, host_json, settings, _read_function)
    notes = (f"function {name!r} is left out: {why}" for name, why in found.left_out.items())
    prefix = host_json.text("extensions", "http", "routePrefix", default=DEFAULT_ROUTE_PREFIX)
    return FunctionApp(
        directory=directory,
        model=model,
        functions=tuple(found.functions),
        values=local.values,
        route_prefix=prefix.strip("/"),
        host_json=host_json,
        local=local,
        settings=settings,
        problems=tuple(found.problems.values()),
        notes=(*local.notes, *_remarks(host_json), *notes),
    )


def _model(directory: Path, script: str, files: list[Path]) -> Model:
    if not (directory / script).is_file():
        if not files:
            raise HostError(explain_no_app(directory, script))
        return "v1"
    if files:
        raise HostError(
            f"{directory} holds a v2 app ({script}) and a v1 app "
            f"({files[0].parent.name}/function.json): remove one of them, no worker runs both"
        )
    return "v2"


def _read_function(path: Path, content: dict[str, object]) -> FunctionFile:
    bindings, script, entry_point = declaration_of(path, content)
    return FunctionFile(
        name=path.parent.name,
        directory=path.parent,
        script=script,
        entry_point=entry_point,
        bindings=bindings,
        retry=_read_retry(path, content.get("retry")),
    )


def _read_retry(path: Path, retry: object) -> RetryPolicy | None:
    try:
        return None if retry is None else policy_from_json(retry)
    except HostError as error:
        raise HostError(f"{path}: {error}") from error


def _remarks(host_json: HostJson) -> Iterator[str]:
    """
    Say what has another effect in Azure than people may think.

    Sources: azure-functions-host, `InitializeHostConfig`, and its pull request 7870 of retries;
    aspnetcore, `HstsMiddleware.cs`, which adds its header to answers over HTTPS alone.
    """
    if host_json.get("version") != "2.0" and host_json.says_something:
        yield f"{host_json.path} has no 'version' of \"2.0\": in Azure, the host does not start"
    if host_json.get("retry") is not None:
        yield f"{host_json.path} has a 'retry', which no host follows: give functions their own"
    if host_json.boolean("extensions", "http", "hsts", "isEnabled", default=False):
        yield f"'hsts' of {host_json.path} adds no header here, as this is no HTTPS"
