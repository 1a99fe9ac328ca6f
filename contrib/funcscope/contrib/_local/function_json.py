"""
A function of the v1 model, as its `function.json` and the app settings have it.

Source: azure-functions-host, `HostFunctionMetadataProvider.cs`, `BindingMetadata.cs` and
`Utility.cs`, which leave a wrong function out and run the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, cast

from funcscope.contrib._local.app import is_trigger
from funcscope.contrib._local.errors import AppError
from funcscope.contrib._local.jsonfile import describe, read_json_object
from funcscope.contrib._local.settings import find_setting, is_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from funcscope.contrib._local.app import BindingDict
    from funcscope.contrib._local.host_json import HostJson

T = TypeVar("T")

_is_name = re.compile(r"(?!host$)[a-z][a-z0-9_-]{0,127}", re.IGNORECASE | re.ASCII).fullmatch
_ENUMS = {
    "direction": ("in", "out", "inout"),
    "dataType": ("string", "binary", "stream", "httprequestmessage", "httpresponsemessage"),
    "cardinality": ("one", "many"),
}
"""Properties of bindings that take certain words, of any case, or their places by number."""
_UNTYPED = ("httprequestmessage", "httpresponsemessage")
"""Data types that tell a worker nothing."""


@dataclass(frozen=True, slots=True)
class FunctionsOf(Generic[T]):
    """
    The functions of a v1 app.

    Attributes:
        functions: Those that a host loads.
        problems: What is wrong with others, by their names.
        left_out: Why others are left out on purpose, by their names.
    """

    functions: list[T]
    problems: dict[str, str]
    left_out: dict[str, str]


def read_functions(
    files: Iterable[Path],
    host_json: HostJson,
    settings: Mapping[str, str],
    read: Callable[[Path, dict[str, object]], T],
) -> FunctionsOf[T]:
    """
    Read the functions of a v1 app.

    Args:
        files: Their `function.json`.
        host_json: The app's.
        settings: App settings, the environment's included.
        read: Makes a function of its file and what that holds; AppError where it is wrong.

    Raises:
        AppError: All are wrong.
    """
    found: FunctionsOf[T] = FunctionsOf([], {}, {})
    for path in files:
        name = path.parent.name
        try:
            content = read_json_object(path)
            if reason := why_left_out(name, content.get("disabled"), host_json, settings):
                found.left_out[name] = reason
            else:
                found.functions.append(read(path, content))
        except AppError as error:
            found.problems[name] = str(error)
    if found.problems and not found.functions:
        raise AppError("\n".join(found.problems.values()))
    return found


class Declaration(NamedTuple):
    """
    A function as its `function.json` has it.

    Attributes:
        bindings: With `direction` in lower case where it is missing, too.
        script: The file of its code.
        entry_point: The function's name there.
    """

    bindings: tuple[BindingDict, ...]
    script: Path
    entry_point: str


def declaration_of(path: Path, content: Mapping[str, object]) -> Declaration:
    """
    Read the declaration of a function.

    Args:
        path: The function's `function.json`.
        content: What it holds.

    Raises:
        AppError: No host takes it.
    """
    if not _is_name(path.parent.name):
        raise AppError(
            f"{path.parent.name!r} is no name for a function: use letters, digits, '_' and '-', "
            "a letter first, and not 'host'"
        )
    bindings = _bindings_of(path, content)
    script_file, entry_point = _entry_of(path, content)
    script = (path.parent / script_file).resolve()
    if not script.is_file():
        raise AppError(f"{path}: the script {script_file!r} does not exist")
    return Declaration(bindings, script, entry_point)


def _bindings_of(path: Path, content: Mapping[str, object]) -> tuple[BindingDict, ...]:
    declared = content.get("bindings")
    if not isinstance(declared, list) or not declared:
        raise AppError(f"{path} has no list of 'bindings': give it at least a trigger")
    bindings = tuple(_binding(each, path) for each in cast("list[object]", declared))
    triggers = [str(binding["name"]) for binding in bindings if is_trigger(binding)]
    if not triggers:
        raise AppError(f"{path} has no trigger: add a binding such as 'httpTrigger'")
    if len(triggers) > 1:
        raise AppError(f"{path} has several triggers, {', '.join(triggers)}: leave one")
    names = [str(binding["name"]).lower() for binding in bindings]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise AppError(f"{path} has several bindings named {min(repeated)!r}: rename them")
    return bindings


def _entry_of(path: Path, content: Mapping[str, object]) -> tuple[str, str]:
    """
    Return the script of a function, relative to its folder, and the function's name in it.

    Where no script is named, it is the only file beside `function.json`, or `__init__.py` or `run`
    among several.
    """
    script = content.get("scriptFile") or _script_beside(path)
    entry_point = content.get("entryPoint") or "main"
    if not isinstance(script, str) or not isinstance(entry_point, str):
        raise AppError(f"{path}: 'scriptFile' and 'entryPoint' must be strings")
    return script, entry_point


def why_left_out(
    name: str, declared: object, host_json: HostJson, settings: Mapping[str, str]
) -> str:
    """
    Say why a host leaves a function out, `""` where it does not.

    Args:
        name: The function's.
        declared: `disabled` of its `function.json`: a truth value or text, which may be the name of
            a setting or `%name%`; None for a function of the v2 model.
        host_json: The app's.
        settings: App settings, the environment's included.

    Raises:
        AppError: `functions` of host.json is no list.

    Source: `HostListenerFactory.IsDisabled` of azure-webjobs-sdk for the settings' names.
    """
    chosen = host_json.items("functions")
    if chosen is not None and name.lower() not in {str(each).lower() for each in chosen}:
        return "'functions' of host.json does not name it"
    reason = _why_disabled(name, declared, settings)
    return f"disabled by {reason}" if reason else ""


def _why_disabled(name: str, declared: object, settings: Mapping[str, str]) -> str:
    for pattern in ("AzureWebJobs.{}.Disabled", "AzureWebJobs_{}_Disabled"):
        for setting in (pattern.format(name), pattern.replace("_", "__").format(name)):
            if is_on(find_setting(settings, setting)):
                return f"setting {setting!r}"
    if declared is True or (isinstance(declared, int) and declared == 1):
        return "'disabled' of its function.json"
    if not isinstance(declared, str):
        return ""
    setting = declared.strip("%") if declared.startswith("%") else declared
    value = find_setting(settings, setting)
    if value is None:
        return "'disabled' of its function.json" if is_on(declared) else ""
    return f"setting {setting!r}" if is_on(value) or is_on(find_setting(settings, value)) else ""


def _script_beside(path: Path) -> str:
    files = sorted(file.name for file in path.parent.iterdir() if file.is_file())
    files = [name for name in files if name.lower() != path.name]
    if len(files) == 1:
        return files[0]
    chosen = [n for n in files if n.lower() == "__init__.py" or n.lower().startswith("run.")]
    if not chosen:
        raise AppError(f"{path} has no script beside it: add __init__.py, or name a 'scriptFile'")
    return chosen[0]


def _binding(declared: object, path: Path) -> BindingDict:
    if not isinstance(declared, dict):
        raise AppError(f"{path}: a binding is {describe(declared)}: it must be an object, {{…}}")
    binding = dict(cast("dict[str, object]", declared))
    for key in ("type", "name"):
        if not isinstance(binding.get(key), str) or not binding[key]:
            raise AppError(f"{path}: binding {_label(binding)} lacks the string {key!r}")
    for key, words in _ENUMS.items():
        _put_word(binding, key, words, path)
    binding.setdefault("direction", "in")
    if binding["name"] == "$return" and binding["direction"] != "out":
        raise AppError(f"{path}: binding '$return' must have the direction 'out'")
    return binding


def _put_word(binding: dict[str, object], key: str, words: tuple[str, ...], path: Path) -> None:
    """Put one of some words into the case in which workers know it; drop it where it says none."""
    value = binding.pop(key, None)
    if value is None or value == "":
        return
    word = str(value).lower()
    if word.isdecimal() and int(word) < len(words):
        word = words[int(word)]
    if word not in words:
        known = ", ".join(map(repr, words))
        name = binding["name"]
        raise AppError(
            f"{path}: {key} {value!r} of binding {name!r} is not known: use one of {known}"
        )
    if word not in _UNTYPED:
        binding[key] = word


def _label(binding: Mapping[str, object]) -> str:
    """Name a binding by what it has of a name; its other properties may be secrets."""
    return repr({key: binding[key] for key in ("type", "name") if key in binding})
