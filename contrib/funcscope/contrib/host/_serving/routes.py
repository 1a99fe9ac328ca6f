"""
Route templates as the Functions host understands them, and finding the function for a request.

Source: https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-templates, which the
host builds on. Pure: no request, no server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import unquote

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._serving.constraints import parse_constraint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from funcscope.contrib.host._serving.constraints import Constraint

T = TypeVar("T")

# How far a segment narrows the match down; the first difference between two routes decides.
_LITERAL, _CONSTRAINED, _PARAMETER, _CONSTRAINED_REST, _REST = range(1, 6)


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    constraints: tuple[Constraint, ...]
    is_optional: bool
    is_rest: bool
    default: str | None

    def accepts(self, value: str) -> bool:
        return all(is_allowed(value) for is_allowed in self.constraints)


@dataclass(frozen=True, slots=True)
class _Segment:
    """One part of a template between slashes: literal text and parameters, in any mix."""

    pattern: re.Pattern[str]
    parameters: tuple[_Parameter, ...]
    is_single: bool

    @property
    def may_be_absent(self) -> bool:
        if not (self.is_single and self.parameters):
            return False
        parameter = self.parameters[0]
        return parameter.is_optional or parameter.is_rest or parameter.default is not None

    @property
    def precedence(self) -> int:
        if not self.parameters:
            return _LITERAL
        parameter = self.parameters[0]
        is_narrow = bool(parameter.constraints) or not self.is_single
        if parameter.is_rest:
            return _CONSTRAINED_REST if is_narrow else _REST
        return _CONSTRAINED if is_narrow else _PARAMETER

    def match(self, text: str) -> dict[str, str] | None:
        matched = self.pattern.fullmatch(text)
        if matched is None:
            return None
        values = {p.name: matched.group(f"p{i}") for i, p in enumerate(self.parameters)}
        return values if all(p.accepts(values[p.name]) for p in self.parameters) else None


@dataclass(frozen=True, slots=True)
class Route:
    """A parsed route template."""

    template: str
    _segments: tuple[_Segment, ...]

    @property
    def precedence(self) -> tuple[int, ...]:
        """A sort key: the route that says more about the path comes first."""
        return tuple(segment.precedence for segment in self._segments)

    def match(self, path: str) -> dict[str, str] | None:
        """
        Return the route parameters of a percent-encoded path, or None where it does not match.

        Optional parameters that the path leaves out are absent; `%2F` stays encoded.
        """
        parts = [_decode(part) for part in path.strip("/").split("/")] if path.strip("/") else []
        values: dict[str, str] = {}
        for index, segment in enumerate(self._segments):
            matched = self._match_one(segment, parts[index:])
            if matched is None:
                return None
            values.update(matched)
        has_rest = any(p.is_rest for s in self._segments for p in s.parameters)
        return values if has_rest or len(parts) <= len(self._segments) else None

    @staticmethod
    def _match_one(segment: _Segment, parts: Sequence[str]) -> dict[str, str] | None:
        if parts:
            is_rest = segment.is_single and segment.parameters and segment.parameters[0].is_rest
            return segment.match("/".join(parts) if is_rest else parts[0])
        if not segment.may_be_absent:
            return None
        parameter = segment.parameters[0]
        return {} if parameter.default is None else {parameter.name: parameter.default}


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
    parts = [part for part in _split(template.strip("/"), "/", "{}") if part]
    segments = tuple(_parse_segment(part, template) for part in parts)
    for segment in segments[:-1]:
        if any(p.is_rest for p in segment.parameters):
            raise HostError(f"route {template!r} has a catch-all parameter before its end")
    names = [p.name.lower() for segment in segments for p in segment.parameters]
    if len(names) != len(set(names)):
        raise HostError(f"route {template!r} uses a parameter's name twice")
    return Route(template, segments)


def _split(text: str, separator: str, brackets: str) -> list[str]:
    """Split where no bracket is open: a constraint's regular expression may hold separators."""
    parts, depth = [""], 0
    for character in text:
        depth += {brackets[0]: 1, brackets[1]: -1}.get(character, 0)
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


_PIECE = re.compile(r"\{\{|\}\}|\{((?:[^{}]|\{\{|\}\})+)\}|[^{}]+")


def _parse_segment(text: str, template: str) -> _Segment:
    pattern, parameters, position = "", list[_Parameter](), 0
    while position < len(text):
        piece = _PIECE.match(text, position)
        if piece is None:
            raise HostError(f"route {template!r} has unbalanced braces in {text!r}")
        if piece[1] is None:
            pattern += re.escape(piece[0].replace("{{", "{").replace("}}", "}"))
        else:
            parameter = _parse_parameter(piece[1].replace("{{", "{").replace("}}", "}"), template)
            pattern += f"(?P<p{len(parameters)}>{'.*' if parameter.is_rest else '.+'})"
            parameters.append(parameter)
        position = piece.end()
    is_single = text.startswith("{") and len(parameters) == 1 and text.endswith("}")
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return _Segment(compiled, tuple(parameters), is_single)


def _parse_parameter(text: str, template: str) -> _Parameter:
    body, *default = _split(text.removesuffix("?"), "=", "()")
    starred_name, *constraints = _split(body, ":", "()")
    name = starred_name.removeprefix("*").removeprefix("*").strip()
    if not name or set(name) & set("*/?"):
        raise HostError(f"route {template!r} has a parameter without a valid name: {{{text}}}")
    return _Parameter(
        name=name,
        constraints=tuple(parse_constraint(constraint) for constraint in constraints),
        is_optional=text.endswith("?"),
        is_rest=starred_name.startswith("*"),
        default="=".join(default) if default else None,
    )


def _decode(part: str) -> str:
    return unquote(re.sub("%2f", "%252F", part, flags=re.IGNORECASE))
