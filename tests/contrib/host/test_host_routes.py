"""Route templates match as they do in the Functions host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.contrib.host import HostError
from funcscope.contrib.host._serving.routes import Endpoint, Router, parse_route


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("products/{category:alpha}/{id:int?}", "/products/books", {"category": "books"}),
        (
            "products/{category:alpha}/{id:int?}",
            "/products/books/7",
            {"category": "books", "id": "7"},
        ),
        ("products/{category:alpha}/{id:int?}", "/products/b00ks", None),
        ("products/{category:alpha}/{id:int?}", "/products/books/x", None),
        ("products/{category:alpha}/{id:int?}", "/products/books/7/more", None),
        ("hello", "/HELLO/", {}),
        ("hello", "/hello/x", None),
        ("{*rest}", "/a/b/c", {"rest": "a/b/c"}),
        ("{*rest}", "/", {}),
        ("{**rest}", "/a/b", {"rest": "a/b"}),
        ("files/{name}.{extension}", "/files/a.b.txt", {"name": "a.b", "extension": "txt"}),
        ("files/{name}.{extension}", "/files/a", None),
        ("page/{number=1}", "/page", {"number": "1"}),
        ("page/{number=1}", "/page/2", {"number": "2"}),
        ("{{literal}}", "/{literal}", {}),
        ("{name}", "/caf%C3%A9%20au%20lait", {"name": "café au lait"}),
        ("{name}", "/a%2Fb", {"name": "a%2Fb"}),
        ("", "/", {}),
        ("", "/x", None),
    ],
)
def test_template(template: str, path: str, values: dict[str, str] | None) -> None:
    """A template matches a whole path, whatever its case, and yields the parameters in it."""
    assert parse_route(template).match(path) == values


@pytest.mark.parametrize(
    ("constraint", "right", "wrong"),
    [
        ("alpha", "abc", "ab1"),
        ("bool", "True", "yes"),
        ("datetime", "2026-11-22", "soon"),
        ("decimal", "1.5", "1,5"),
        ("double", "-1e3", "e3"),
        ("float", ".5", "."),
        ("guid", "6f9619ff-8b86-d011-b42d-00c04fc964ff", "6f9619ff"),
        ("int", "-2147483648", "2147483648"),
        ("length(2)", "ab", "abc"),
        ("length(2,3)", "abc", "abcd"),
        ("long", "2147483648", "9223372036854775808"),
        ("max(5)", "5", "6"),
        ("maxlength(2)", "ab", "abc"),
        ("min(5)", "5", "4"),
        ("minlength(2)", "ab", "a"),
        ("range(1,3)", "3", "4"),
        ("int:min(3)", "3", "2"),
        ("long", "1", "9" * 5000),
        (r"regex(^\d{{3}}-\d{{2}}$)", "123-45", "12-345"),
        ("regex(^(a/b|c)$)", "c", "d"),
    ],
)
def test_constraint(constraint: str, right: str, wrong: str) -> None:
    """A constraint lets a parameter's value through, or the route does not match."""
    route = parse_route("x/{value:" + constraint + "}")

    assert route.match(f"/x/{right}") == {"value": right}
    assert route.match(f"/x/{wrong}") is None


@pytest.mark.parametrize(
    "template",
    [
        "{",
        "}",
        "a/{b",
        "{a}{",
        "{}",
        "{:int}",
        "{a/b}",
        "{*a}/b",
        "{a}/{A}",
        "{a:no}",
        "{a:min(x)}",
    ],
)
def test_invalid_template(template: str) -> None:
    """An invalid template is refused when it is parsed, with the template in the message."""
    with pytest.raises(HostError, match="route"):
        parse_route(template)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/items/new", "literal"),
        ("/items/7", "constrained"),
        ("/items/x", "parameter"),
        ("/items/x/y", "rest"),
        ("/items", "absent"),
        ("/other", None),
    ],
)
def test_precedence(path: str, target: str | None) -> None:
    """The route that says more about the path wins, whatever the order of registration."""
    templates = {
        "rest": "items/{*rest}",
        "parameter": "items/{id}",
        "constrained": "items/{id:int}",
        "literal": "items/new",
        "absent": "items",
    }
    router = Router([Endpoint(parse_route(t), frozenset(), n) for n, t in templates.items()])

    found = router.find("GET", path)

    assert (found and found[0]) == target


def test_methods() -> None:
    """A route without methods serves all; one with methods leaves the others to the next."""
    router = Router(
        [
            Endpoint(parse_route("x"), frozenset({"POST"}), "write"),
            Endpoint(parse_route("{any}"), frozenset(), "rest"),
        ]
    )

    assert router.find("post", "/x") == ("write", {})
    assert router.find("PUT", "/x") == ("rest", {"any": "x"})


NAMES = st.text("abcdefghijklmnop", min_size=1, max_size=8)
VALUES = st.text(st.characters(exclude_characters="/%?#", categories=["L", "N"]), min_size=1)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=5))
def test_parameters_come_back(values: dict[str, str]) -> None:
    """Whatever is put into a template's parameters comes out of the match."""
    route = parse_route("/".join(f"{{{name}}}" for name in values))

    assert route.match("/" + "/".join(values.values())) == values


@given(st.text(max_size=30))
def test_any_text_parses_or_is_refused(template: str) -> None:
    """No template makes the parser fail otherwise than by refusing it."""
    try:
        route = parse_route(template)
    except HostError:
        return
    route.match("/a/b")


@given(st.text(max_size=40))
def test_any_path_matches_or_not(path: str) -> None:
    """No path makes the match fail, and a catch-all takes every path."""
    assert parse_route("{*rest}").match(path) is not None
