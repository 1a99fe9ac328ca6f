"""
A function of the v1 model, as its `function.json` and the app settings have it.

Source: azure-functions-host, `HostFunctionMetadataProvider.cs`, `BindingMetadata.cs` and
`Utility.cs`, which leave a wrong function out and run the others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from funcscope.contrib._local.app import is_trigger
from funcscope.contrib._local.errors import AppError
from funcscope.contrib._local.jsonfile import describe
from funcscope.contrib._local.settings import find_setting, is_on

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from funcscope.contrib._local.app import BindingDict

_is_name = re.compile(r"(?!host$)[a-z][a-z0-9_-]{0,127}", re.IGNORECASE | re.ASCII).fullmatch
_ENUMS = {
    "direction": ("in", "out", "inout"),
    "dataType": ("string", "binary", "stream", "httprequestmessage", "httpresponsemessage"),
    "cardinality": ("one", "many"),
}
"""Properties of bindings that take certain words, of any case, or their places by number."""
_UNTYPED = ("httprequestmessage", "httpresponsemessage")
"""Data types that tell a worker nothing."""


def check_name(name: str) -> None:
    """
    Check that a function can have a name.

    Raises:
        AppError: The host takes no function of that name.
    """
    if not _is_name(name):
        raise AppError(
            f"{name!r} is no name for a function: use letters, digits, '_' and '-', "
            "a letter first, and not 'host'"
        )


def bindings_of(path: Path, content: Mapping[str, object]) -> tuple[BindingDict, ...]:
    """
    Return the bindings of a function, with `direction` in lower case where it is missing, too.

    Args:
        path: The function's `function.json`.
        content: What it holds.

    Raises:
        AppError: There is not exactly one trigger, or a binding is wrong.
    """
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


def entry_of(path: Path, content: Mapping[str, object]) -> tuple[str, str]:
    """
    Return the script of a function, relative to its folder, and the function's name in it.

    Where no script is named, it is the only file beside `function.json`, or `__init__.py` or `run`
    among several.

    Args:
        path: The function's `function.json`.
        content: What it holds.

    Raises:
        AppError: One of them is no string, or there is no script.
    """
    script = content.get("scriptFile") or _script_beside(path)
    entry_point = content.get("entryPoint") or "main"
    if not isinstance(script, str) or not isinstance(entry_point, str):
        raise AppError(f"{path}: 'scriptFile' and 'entryPoint' must be strings")
    return script, entry_point


def why_disabled(name: str, declared: object, settings: Mapping[str, str]) -> str:
    """
    Say what disables a function, `""` where nothing does.

    Args:
        name: The function's.
        declared: `disabled` of its `function.json`: a truth value or text, which may be the name of
            a setting or `%name%`; None for a function of the v2 model.
        settings: App settings, the environment's included.

    Source: `HostListenerFactory.IsDisabled` of azure-webjobs-sdk for the settings' names.
    """
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
