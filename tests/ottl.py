"""
Conditions of the Collector's transformation language, OTTL, as far as docs/collector uses it.

Grammar and comparison by `pkg/ottl/LANGUAGE.md` of collector-contrib (commit 087ed98cf7b2): `not`
binds closer than `and`, that closer than `or`; what is not there is `nil`, which equals nothing
else. `IsMatch` finds a pattern anywhere, and nothing in `nil`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Span: TypeAlias = Mapping[str, Any]  # a value for each path, and `span.attributes`, a mapping
Evaluate: TypeAlias = Callable[[Span], Any]

TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+)|(?P<sign>==|!=|[()\[\],])
    |(?P<word>[A-Za-z_][A-Za-z0-9_.]*))""",
    re.VERBOSE,
)
OPERATORS = {"==": operator.eq, "!=": operator.ne}
LITERALS = {"true": True, "false": False, "nil": None}
ENUM = re.compile(r"(SPAN_KIND|STATUS_CODE)_[A-Z]+")
PATHS = {
    "span.name", "span.kind", "span.status.code", "span.attributes", "resource.attributes",
    "instrumentation_scope.name",
}  # fmt: skip


class OttlError(Exception):
    """A condition that the Collector would refuse; the message says where."""


def parse(condition: str) -> Evaluate:
    """Read a condition; what is returned tells whether it holds for a span."""
    parser = _Parser(condition)
    evaluate = parser.disjunction()
    if parser.tokens:
        raise OttlError(f"{condition!r}: nothing may follow before {parser.tokens[0]!r}")
    return evaluate


def attributes_of(condition: str) -> set[str]:
    """List the attributes that a condition looks at."""
    return set(re.findall(r'attributes\["([^"]+)"\]', condition))


class _Parser:
    """Recursive descent over what is left of a condition's tokens."""

    def __init__(self, condition: str) -> None:
        self.tokens: list[str] = []
        rest = condition.strip()
        while rest:
            found = TOKEN.match(rest)
            if found is None:
                raise OttlError(f"{condition!r}: no token at {rest!r}")
            self.tokens.append(found[0].strip())
            rest = rest[found.end() :].strip()

    def take(self, *expected: str) -> str:
        """Take the next token, which is one of these where any are given."""
        if not self.tokens or (expected and self.tokens[0] not in expected):
            raise OttlError(f"expected {expected or 'more'}, found {self.tokens[:1]}")
        return self.tokens.pop(0)

    def disjunction(self) -> Evaluate:
        """Read conditions between `or`."""
        parts = [self.conjunction()]
        while self.tokens[:1] == ["or"]:
            self.take()
            parts.append(self.conjunction())
        return lambda span: any(part(span) for part in parts)

    def conjunction(self) -> Evaluate:
        """Read conditions between `and`."""
        parts = [self.comparison()]
        while self.tokens[:1] == ["and"]:
            self.take()
            parts.append(self.comparison())
        return lambda span: all(part(span) for part in parts)

    def comparison(self) -> Evaluate:
        """Read `not`, parentheses, a converter that tells, or two values and what is between."""
        if self.tokens[:1] == ["not"]:
            self.take()
            inner = self.comparison()
            return lambda span: not inner(span)
        if self.tokens[:1] == ["("]:
            self.take()
            inner = self.disjunction()
            self.take(")")
            return inner
        if self.tokens[:1] in (["IsMatch"], ["IsRootSpan"]):
            return self.converter()
        left, sign, right = self.value(), self.take(*OPERATORS), self.value()
        return lambda span: OPERATORS[sign](left(span), right(span))

    def converter(self) -> Evaluate:
        """Read a call of `IsMatch` or `IsRootSpan`."""
        if self.take() == "IsRootSpan":
            self.take("("), self.take(")")
            return lambda span: span["span.parent_span_id"] == ""
        self.take("(")
        target = self.value()
        self.take(",")
        pattern = re.compile(self.string())
        self.take(")")
        return lambda span: pattern.search(target(span) or "") is not None

    def value(self) -> Evaluate:
        """Read a literal, an enumerated word or a path."""
        if self.tokens and self.tokens[0].startswith('"'):
            text = self.string()
            return lambda _: text
        token = self.take()
        if token in LITERALS or ENUM.fullmatch(token):
            return lambda _: LITERALS.get(token, token)
        if token not in PATHS:
            raise OttlError(f"{token!r} is no path")
        if not token.endswith(".attributes"):
            return lambda span: span[token]
        self.take("[")
        key = self.string()
        self.take("]")
        return lambda span: span[token].get(key)

    def string(self) -> str:
        """Read a string."""
        token = self.take()
        if not token.startswith('"'):
            raise OttlError(f"expected a string, found {token!r}")
        return re.sub(r"\\(.)", r"\1", token[1:-1])
