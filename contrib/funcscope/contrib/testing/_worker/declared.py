"""A function as its app declares it, in either model or in none."""

from __future__ import annotations

import copy
import inspect
import typing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funcscope.contrib.testing._errors import TestingError
from funcscope.extensions import Binding
from funcscope.extensions.integration import decorated_bindings, read_bindings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.contrib._local.app import Model

_CLIENT = "durableclient"
_TRIGGERS = {
    "CloudEvent": "eventGridTrigger",
    "DocumentList": "cosmosDBTrigger",
    "EntityContext": "entityTrigger",
    "EventGridEvent": "eventGridTrigger",
    "EventHubEvent": "eventHubTrigger",
    "HttpRequest": "httpTrigger",
    "InputStream": "blobTrigger",
    "KafkaEvent": "kafkaTrigger",
    "MySqlRowList": "mysqlTrigger",
    "OrchestrationContext": "orchestrationTrigger",
    "QueueMessage": "queueTrigger",
    "ServiceBusMessage": "serviceBusTrigger",
    "SqlRowList": "sqlTrigger",
    "TimerRequest": "timerTrigger",
}
"""The trigger of each parameter type, where no decorator and no function.json tells."""

_OUTPUTS = {
    "Document": "cosmosDB",
    "DocumentList": "cosmosDB",
    "EventGridOutputEvent": "eventGrid",
    "HttpResponse": "http",
    "MySqlRow": "mysql",
    "MySqlRowList": "mysql",
    "SqlRow": "sql",
    "SqlRowList": "sql",
}
"""The output binding of what is in an `Out`; a queue takes the others."""


@dataclass(frozen=True, slots=True, eq=False)
class AppFunction:
    """
    A function as its app declares it.

    Attributes:
        name: As the host knows it.
        function: The user's own.
        directory: The folder of its code.
        bindings: All of them.
        built: `azure.functions`' own object; None for a function of the v1 model.
        is_guessed: Whether its bindings are, by its parameters.
        disabled: As its `function.json` has it.
    """

    name: str
    function: Callable[..., object]
    directory: str
    bindings: tuple[Binding, ...]
    built: object | None = None
    is_guessed: bool = False
    disabled: object = None

    @property
    def guesses_return(self) -> bool:
        """Whether what it returns may go anywhere: nobody has said where to."""
        return self.is_guessed and self.trigger.type != "httpTrigger"

    @property
    def model(self) -> Model:
        """The programming model, by which a worker is chosen."""
        return "v1" if self.built is None else "v2"

    @property
    def trigger(self) -> Binding:
        """
        The binding that starts it.

        Raises:
            TestingError: There is none.
        """
        for binding in self.bindings:
            if binding.is_trigger:
                return binding
        raise TestingError(f"function {self.name!r} has no trigger: give it one")

    @property
    def inputs(self) -> list[str]:
        """The parameters that the host fills."""
        return [b.name for b in self.bindings if b.direction != "out" and b.name != "$return"]

    @property
    def outputs(self) -> list[str]:
        """The parameters that take output bindings."""
        return [b.name for b in self.bindings if b.direction == "out" and b.name != "$return"]


def built_function(built: Any) -> AppFunction:  # azure.functions' has no types to speak of
    """Read the declaration of a function from the v2 model's decorators."""
    function: Callable[..., object] = built.get_user_function()
    directory = str(Path(inspect.getfile(inspect.unwrap(function))).parent)
    return AppFunction(
        built.get_function_name(), function, directory, decorated_bindings(built), built
    )


def declared_function(function: object, *, is_http: bool) -> AppFunction:
    """
    Read the declaration of a function that a test hands over, or guess it by its parameters.

    Args:
        function: What a decorator of azure.functions made, its `build()`, or a plain function.
        is_http: Whether a parameter without an annotation is taken for a request.

    Raises:
        TestingError: It is not a function.
    """
    inner = getattr(function, "_function", function)  # FunctionBuilder, azure-functions 2.3.0
    if callable(getattr(inner, "get_user_function", None)):
        return built_function(inner)
    if not callable(function):
        raise TestingError(f"{function!r} is not a function: pass one, or a function's name")
    plain = function
    directory = Path(inspect.getfile(inspect.unwrap(plain))).parent
    bindings = read_bindings(str(directory))
    if bindings:
        return AppFunction(directory.name, plain, str(directory), bindings)
    name = str(getattr(plain, "__name__", "function"))
    return AppFunction(name, plain, "", _guessed(plain, is_http=is_http), is_guessed=True)


def below_client_maker(declared: AppFunction, given: Mapping[str, object]) -> AppFunction:
    """
    Return the function itself, without Durable's decorator that makes a client of a host's text.

    Only where a test gives the client, such as a mock: there is nothing to make then.

    Args:
        declared: The function as the app declares it.
        given: Its arguments.
    """
    clients = [given.get(b.name) for b in declared.bindings if b.type.lower() == _CLIENT]
    # `_add_rich_client`, azure-functions-durable 1.7
    below = getattr(declared.function, "client_function", None)
    if below is None or declared.built is None or all(isinstance(c, str) for c in clients):
        return declared
    built: Any = copy.copy(declared.built)
    built._func = below  # noqa: SLF001  (`get_user_function` returns it)
    return replace(declared, function=below, built=built)


def hints_of(function: Callable[..., object]) -> dict[str, Any]:
    """
    Return a function's annotations as all workers read them (`functions.py`, `get_type_hints`).

    Raises:
        TestingError: One names what is there for type checkers alone.
    """
    try:
        return typing.get_type_hints(function)
    except NameError as error:
        raise TestingError(
            f"no worker loads function {getattr(function, '__name__', function)!r}: in its "
            f"annotations, {error}: import it outside `if TYPE_CHECKING:`"
        ) from error
    except TypeError:  # not a function, but an object that can be called
        return {}


def _guessed(function: Callable[..., object], *, is_http: bool) -> tuple[Binding, ...]:
    """Guess the bindings of a function by its parameters: the first one has the trigger."""
    hints = hints_of(function)
    bindings: list[Binding] = []
    for name in inspect.signature(function).parameters:
        if name == "context":
            continue
        hint = hints.get(name)
        if _plain_name(hint) == "Out":
            kind = _OUTPUTS.get(_plain_name((*typing.get_args(hint), None)[0]), "queue")
            bindings.append(Binding(name, kind, "out", {}))
        elif bindings and any(binding.is_trigger for binding in bindings):
            bindings.append(Binding(name, "generic", "in", {}))
        else:
            bindings.append(_guessed_trigger(name, hint, is_http=is_http))
    if hints.get("return") is not type(None):
        is_request = any(binding.type == "httpTrigger" for binding in bindings)
        bindings.append(Binding("$return", "http" if is_request else "generic", "out", {}))
    return tuple(bindings)


def _guessed_trigger(name: str, hint: object, *, is_http: bool) -> Binding:
    arguments = typing.get_args(hint)
    is_batch = typing.get_origin(hint) is list and bool(arguments)
    inner = arguments[0] if is_batch else hint
    known = "HttpRequest" if hint is None and is_http else _plain_name(inner)
    kind = _TRIGGERS.get(known, "genericTrigger")
    return Binding(name, kind, "in", {"cardinality": "many"} if is_batch else {})


def _plain_name(hint: object) -> str:
    origin = typing.get_origin(hint) or hint
    return str(getattr(origin, "__name__", ""))
