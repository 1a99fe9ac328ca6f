"""
Route templates as the Functions host understands them, and finding the function for a request.

Source: https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-templates, which the
host builds on, and dotnet/aspnetcore, `RoutePatternMatcher.cs` and `RoutePrecedence.cs`. Pure: no
request, no server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar
from urllib.parse import unquote

from funcscope.contrib.host._serving.templates import parse_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from funcscope.contrib.host._serving.templates import Segment

T = TypeVar("T")

# How far a segment narrows the match down; the first difference between two routes decides.
_LITERAL, _CONSTRAINED, _PARAMETER, _CONSTRAINED_REST, _REST = range(1, 6)

_Values: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """A parsed route template."""

    template: str
    _segments: tuple[Segment, ...]

    @property
    def precedence(self) -> tuple[tuple[int, int], ...]:
        """A sort key: the route that says more about the path comes first."""
        return tuple(map(_precedence, self._segments))

    @property
    def shape(self) -> tuple[object, ...]:
        """What it matches: routes of the same shape differ in their parameters' names alone."""
        return tuple(tuple(map(_shape, segment.parts)) for segment in self._segments)

    def match(self, path: str) -> dict[str, str] | None:
        """
        Return the route parameters of a percent-encoded path, or None where it does not match.

        Optional parameters that the path leaves out are absent; `%2F` stays encoded. As in the
        host's web server, `.` and `..` are resolved first, also encoded ones.
        """
        texts = _normalized(path)
        # A slash at the end counts for a catch-all parameter alone.
        values = self._match_texts(texts, len(texts) - (texts[-1:] == [""]))
        if values is None:
            return None
        parameters = (p for segment in self._segments for p in segment.parameters)
        if not all(p.accepts(values.get(p.name)) for p in parameters):
            return None
        return values

    def _match_texts(self, texts: Sequence[str], count: int) -> _Values | None:
        """Match the first `count` texts between slashes."""
        values: _Values = {}
        for index, segment in enumerate(self._segments):
            single = segment.single
            if index >= count:
                if single is None or not single.may_be_absent:
                    return None
                if single.default is not None:
                    values[single.name] = single.default
                continue
            if single is not None and single.is_rest:
                return {**values, single.name: "/".join(texts[index:])}
            matched = segment.match(texts[index])
            if matched is None:
                return None
            values.update(matched)
        return values if count <= len(self._segments) else None


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[T]):
    """
    A route, the methods it serves and what it leads to.

    Attributes:
        methods: Upper-case method names; empty means every method.
    """

    route: Route
    methods: frozenset[str]
    target: T


class Router(Generic[T]):
    """Finds the endpoint for a request: a literal segment beats a parameter, first come first."""

    def __init__(self, endpoints: Iterable[Endpoint[T]]) -> None:
        self._endpoints = sorted(endpoints, key=lambda endpoint: endpoint.route.precedence)

    def find(self, method: str, path: str) -> tuple[T, dict[str, str]] | None:
        """Return the target and its route parameters, or None where no route serves this."""
        for endpoint in self._endpoints:
            if endpoint.methods and method.upper() not in endpoint.methods:
                continue
            values = endpoint.route.match(path)
            if values is not None:
                return endpoint.target, values
        return None


def parse_route(template: str) -> Route:
    """
    Parse a route template such as `products/{category:alpha}/{id:int?}`.

    >>> parse_route("products/{category:alpha}/{id:int?}").match("/Products/books")
    {'category': 'books'}

    Raises:
        HostError: The template is not valid.
    """
    return Route(template, parse_template(template))


def _precedence(segment: Segment) -> tuple[int, int]:
    parameters = segment.parameters
    if not parameters:
        return _LITERAL, 0
    single = segment.single
    if single is None:
        return _CONSTRAINED, 0
    limits = -len(single.limits)  # more of them come first
    if single.is_rest:
        return _CONSTRAINED_REST if limits else _REST, limits
    return _CONSTRAINED if limits else _PARAMETER, limits


def _shape(part: object) -> object:
    if isinstance(part, str):
        return part.lower()
    limits = sorted(limit.lower() for limit in getattr(part, "limits", ()))
    return tuple(limits), getattr(part, "is_rest", False)


def _normalized(path: str) -> list[str]:
    """Decode a path and resolve its dot segments; return the texts between slashes."""
    texts: list[str] = []
    parts = _decode(path.removeprefix("/")).split("/")
    for part in parts:
        if part == "..":
            texts = texts[:-1]
        elif part != ".":
            texts.append(part)
    if parts[-1] in (".", ".."):
        texts.append("")
    return texts


def _decode(part: str) -> str:
    return unquote(re.sub("%2f", "%252F", part, flags=re.IGNORECASE))
