"""
Route templates, such as `products/{category:alpha}/{id:int?}`, in parts.

Source: dotnet/aspnetcore, `RoutePatternParser.cs` and `RouteParameterParser.cs`, whose refusals
these are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._serving.constraints import accepts_absence, parse_constraint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from funcscope.contrib.host._serving.constraints import Constraint


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    A named place in a template.

    Attributes:
        is_rest: Whether it takes all that is left of the path, slashes included.
        default: Its value where the path leaves it out; None for none.
        limits: The constraints as written.
    """

    name: str
    constraints: tuple[Constraint, ...]
    is_optional: bool
    is_rest: bool
    default: str | None
    limits: tuple[str, ...] = ()

    @property
    def may_be_absent(self) -> bool:
        """Whether a path that ends before it may match."""
        return self.is_optional or self.is_rest or self.default is not None

    def accepts(self, value: str | None) -> bool:
        """Tell whether it may have a value; None for none."""
        if value is None:
            return self.is_optional or all(map(accepts_absence, self.constraints))
        return all(is_allowed(value) for is_allowed in self.constraints)


Part: TypeAlias = "str | Parameter"
"""Literal text, or a parameter."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a template between slashes: literal text and parameters, in any mix."""

    parts: tuple[Part, ...]
    patterns: tuple[re.Pattern[str], ...]

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters in it."""
        return [part for part in self.parts if isinstance(part, Parameter)]

    @property
    def single(self) -> Parameter | None:
        """The parameter that it consists of; None where there is more in it."""
        first = self.parts[0]
        return first if len(self.parts) == 1 and isinstance(first, Parameter) else None

    def match(self, text: str) -> dict[str, str] | None:
        """Return the parameters in a part of a path, None where it does not match."""
        for pattern in self.patterns:
            if matched := pattern.fullmatch(text):
                found = zip(self.parameters, matched.groups(), strict=False)
                return {parameter.name: value for parameter, value in found}
        return None


def parse_template(template: str) -> tuple[Segment, ...]:
    """
    Take a template apart.

    Raises:
        HostError: The template is not valid.
    """
    inner = template.strip("/")
    texts = _split(inner) if inner else []
    if "" in texts:
        raise HostError(f"route {template!r} has two slashes without anything between them")
    segments = tuple(_parse_segment(text, template) for text in texts)
    for segment in segments[:-1]:
        if any(parameter.is_rest for parameter in segment.parameters):
            raise HostError(f"route {template!r} has a catch-all parameter before its end")
    names = [p.name.lower() for segment in segments for p in segment.parameters]
    if len(names) != len(set(names)):
        raise HostError(f"route {template!r} uses a parameter's name twice")
    return segments


def _split(text: str) -> list[str]:
    """Split at slashes where no brace is open: a regular expression in there may hold some."""
    parts, depth = [""], 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "/" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


_PIECE = re.compile(r"\{((?:[^{}]|\{\{|\}\})+)\}|(?:\{\{|\}\}|[^{}])+")


def _parse_segment(text: str, template: str) -> Segment:
    parts, position = list[Part](), 0
    while position < len(text):
        piece = _PIECE.match(text, position)
        if piece is None:
            raise HostError(f"route {template!r} has unbalanced braces in {text!r}")
        plain = (piece[1] or piece[0]).replace("{{", "{").replace("}}", "}")
        parts.append(plain if piece[1] is None else _parse_parameter(plain, template))
        position = piece.end()
    if fault := _fault(parts):
        raise HostError(f"route {template!r}: in {text!r}, {fault}")
    return Segment(tuple(parts), tuple(_patterns(parts)))


def _fault(parts: Sequence[Part]) -> str:
    """Say what is wrong with the parts of a segment together, `""` if nothing is."""
    if any(isinstance(part, str) and "?" in part for part in parts):
        return "'?' stands outside a parameter"
    if len(parts) == 1:
        return ""
    if any(isinstance(part, Parameter) and part.is_rest for part in parts):
        return "a catch-all parameter does not stand alone"
    for one, other in pairwise(parts):
        if isinstance(one, Parameter) and isinstance(other, Parameter):
            return "two parameters have nothing between them"
        if isinstance(one, Parameter) and one.is_optional:
            return f"the optional parameter {one.name!r} does not stand at the end"
        if isinstance(other, Parameter) and other.is_optional and one != ".":
            return (
                f"the optional parameter {other.name!r} can follow nothing but a parameter and '.'"
            )
    return ""


def _patterns(parts: Sequence[Part]) -> list[re.Pattern[str]]:
    """
    Return what a segment's text has to look like, in either way.

    The last parameter takes what is right of the last separator, and so on (`MatchComplexSegment`),
    which greedy groups do, too. In `{name}.{extension?}`, the period goes with the extension.
    """
    whole = "".join(_pattern(part) for part in parts)
    flags = re.IGNORECASE | re.DOTALL
    last = parts[-1]
    if len(parts) == 1 or isinstance(last, str) or not last.is_optional:
        return [re.compile(whole, flags)]
    short = "".join(_pattern(part) for part in parts[:-2])
    return [re.compile(whole, flags), re.compile(rf"{short}(?<!\.)", flags)]


def _pattern(part: Part) -> str:
    if isinstance(part, str):
        return re.escape(part)
    return "(.*)" if part.is_rest else "(.+)"


_CONSTRAINT = r":([^:=(]*(?:\(.*?\)(?=$|[:=]))?)"
"""A parenthesis closes where the text, or the constraint, ends: expressions hold more of them."""
_PARAMETER = re.compile(
    rf"(?P<stars>\*{{0,2}})(?P<name>[^:=]+)(?P<limits>(?:{_CONSTRAINT})*)(?:=(?P<default>.*))?",
    re.DOTALL,
)


def _parse_parameter(text: str, template: str) -> Parameter:
    is_optional = text.endswith("?")
    matched = _PARAMETER.fullmatch(text.removesuffix("?"))
    name = matched["name"].strip() if matched else ""
    if matched is None or not name or set(name) & set("*/?{}"):
        raise HostError(f"route {template!r} has a parameter without a valid name: {{{text}}}")
    is_rest, default = bool(matched["stars"]), matched["default"]
    if is_optional and (is_rest or default is not None):
        kind = "a catch-all parameter" if is_rest else "a parameter with a default"
        raise HostError(f"route {template!r}: {kind} takes no '?': {{{text}}}")
    found = re.finditer(_CONSTRAINT, matched["limits"], re.DOTALL)
    limits = tuple(each[1] for each in found if each[1])
    constraints = tuple(parse_constraint(limit) for limit in limits)
    return Parameter(name, constraints, is_optional, is_rest, default, limits)
