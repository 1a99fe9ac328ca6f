"""
The functions that the host serves, of all that the worker has loaded.

As in the Functions host, one that settings disable stands still, and one whose declaration is
wrong is named and left out while the others run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from funcscope.contrib._local.settings import find_setting
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._serving.endpoints import check_endpoint, find_conflicts
from funcscope.telemetry.integration import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from funcscope.contrib._local.app import BindingDict
    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._worker.worker import LoadedFunction

_REFERENCE = re.compile(r"%([^%\s]+)%")
_PLACES = frozenset(
    {
        "brokerlist",
        "collectionname",
        "connection",
        "consumergroup",
        "containername",
        "databasename",
        "eventhubname",
        "hubname",
        "path",
        "queuename",
        "route",
        "schedule",
        "subscriptionname",
        "tablename",
        "topic",
        "topicname",
    }
)
"""Properties in which `%name%` is always a setting; elsewhere, as in SQL, it may be text."""


@dataclass(frozen=True, slots=True)
class Selection:
    """
    What the host serves.

    Attributes:
        functions: With the settings put into their bindings.
        problems: What is wrong with others, for people.
        notes: Which are left out on purpose, for people.
    """

    functions: tuple[LoadedFunction, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def served_functions(
    loaded: Sequence[LoadedFunction],
    app: FunctionApp,
    console: HostConsole,
    unloaded: Sequence[str] = (),
) -> tuple[LoadedFunction, ...]:
    """
    Take the functions that the host serves, and say why it does not serve others.

    Args:
        loaded: What the worker has loaded.
        app: The app that they are of.
        console: Where to write.
        unloaded: What is wrong with those that it could not load.

    Raises:
        HostError: All of them are wrong.
    """
    selection = select_functions(loaded, app)
    for problem in (*unloaded, *selection.problems):
        console.say(redact(problem), style="red")
    for note in selection.notes:
        console.say(note, style="yellow")
    return selection.functions


def select_functions(loaded: Sequence[LoadedFunction], app: FunctionApp) -> Selection:
    """
    Take the functions that the host serves.

    Raises:
        HostError: All of them are wrong.
    """
    functions: list[LoadedFunction] = []
    problems: list[str] = []
    notes: list[str] = []
    for function in loaded:
        if reason := app.why_left_out(function.name):
            notes.append(f"function {function.name!r} is left out: {reason}")
            continue
        try:
            resolved = _with_settings(function, app.settings)
            check_endpoint(resolved, app.route_prefix)
            _check_retry(resolved)
            functions.append(resolved)
        except HostError as error:
            problems.append(str(error))
    if problems and not functions:
        raise HostError("\n".join(problems))
    notes.extend(find_conflicts(functions, app.route_prefix))
    return Selection(tuple(functions), (*app.problems, *problems), (*app.notes, *notes))


def _check_retry(function: LoadedFunction) -> None:
    if function.retry is None:
        return
    try:
        function.retry.check()
    except HostError as error:
        raise HostError(f"function {function.name!r} has a wrong retry policy: {error}") from error


def _with_settings(function: LoadedFunction, settings: Mapping[str, str]) -> LoadedFunction:
    """Put settings in the place of `%name%` in the bindings, which stand unresolved in there."""
    bindings = tuple(_resolved(each, function.name, settings) for each in function.bindings)
    return replace(function, bindings=bindings)


def _resolved(binding: BindingDict, name: str, settings: Mapping[str, str]) -> BindingDict:
    return {key: _value(key, value, name, settings) for key, value in binding.items()}


def _value(key: str, value: object, name: str, settings: Mapping[str, str]) -> object:
    if isinstance(value, dict):
        return _resolved(cast("dict[str, object]", value), name, settings)
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        found = find_setting(settings, match[1])
        if found is None and key.lower() in _PLACES:
            raise HostError(
                f"function {name!r}: no setting {match[1]!r} for {match[0]} in {key!r}: "
                "add it to 'Values' of local.settings.json"
            )
        return match[0] if found is None else found

    return _REFERENCE.sub(look_up, value)
