"""Endpoints of an app's functions: routes, methods and URLs."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, cast

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._serving.routes import Endpoint, Route, parse_route

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from funcscope.contrib._local.app import BindingDict
    from funcscope.contrib.host._worker.worker import LoadedFunction


def http_endpoints(
    functions: Sequence[LoadedFunction], route_prefix: str
) -> list[Endpoint[LoadedFunction]]:
    """
    Return the endpoints of the functions with an HTTP trigger.

    Raises:
        HostError: A route is not valid.
    """
    return [
        Endpoint(_route(function, route_prefix), frozenset(_methods(function.trigger)), function)
        # The host has its functions in this order.
        for function in sorted(functions, key=lambda function: function.name.lower())
        if _is_http(function)
    ]


def check_endpoint(function: LoadedFunction, route_prefix: str) -> None:
    """
    Check a function's route, if it has an HTTP trigger.

    Raises:
        HostError: The route is not valid.
    """
    http_endpoints([function], route_prefix)


def find_conflicts(functions: Sequence[LoadedFunction], route_prefix: str) -> Iterator[str]:
    """Yield what to say of functions of which one hides the other, as they share a route."""
    for one, other in combinations(http_endpoints(functions, route_prefix), 2):
        shared = one.methods & other.methods if one.methods and other.methods else {"every method"}
        if one.route.shape == other.route.shape and shared:
            yield (
                f"functions {one.target.name!r} and {other.target.name!r} have the same route, "
                f"{one.route.template!r}: {one.target.name!r} answers"
            )


def describe_functions(
    functions: Sequence[LoadedFunction], route_prefix: str, base_url: str
) -> Iterator[tuple[str, str]]:
    """Yield each function's name and where to reach it: methods and URL, or its trigger's type."""
    for function in functions:
        if not _is_http(function):
            yield function.name, function.trigger_type
            continue
        methods = ",".join(_methods(function.trigger))
        url = f"{base_url}/{_template(function, route_prefix)}"
        yield function.name, f"[{methods}] {url}" if methods else url


def _is_http(function: LoadedFunction) -> bool:
    return function.trigger_type.lower() == "httptrigger"


def _route(function: LoadedFunction, route_prefix: str) -> Route:
    try:
        return parse_route(_template(function, route_prefix))
    except HostError as error:
        raise HostError(f"function {function.name!r}: {error}") from error


def _template(function: LoadedFunction, route_prefix: str) -> str:
    """Return the whole route; a function without one is reached by its name."""
    route = str(function.trigger.get("route") or function.name).strip("/")
    return f"{route_prefix}/{route}" if route_prefix else route


def _methods(trigger: BindingDict) -> list[str]:
    """Return the methods that a trigger names, none for all."""
    methods = trigger.get("methods")
    if not isinstance(methods, list):
        return []
    return [str(method).upper() for method in cast("list[object]", methods)]
