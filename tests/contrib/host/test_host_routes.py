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
        ("u/{name?}", "/u", {}),
        ("u/{name?}", "/u/", {}),
        ("u/{name:alpha?}", "/u/7", None),
        ("{file}.{extension?}", "/a.b.txt", {"file": "a.b", "extension": "txt"}),
        ("{file}.{extension?}", "/a", {"file": "a"}),
        ("{file}.{extension?}", "/a.", None),
        ("{a}-{b}-{c}", "/w-x-y-z", {"a": "w-x", "b": "y", "c": "z"}),
        ("v{major:int}.{minor:int}", "/V1.2", {"major": "1", "minor": "2"}),
        ("v{major:int}.{minor:int}", "/v1.x", None),
        ("{a:int=5}/{b=x=y}", "/", {"a": "5", "b": "x=y"}),
        ("{a:int=five}", "/", None),
        ("{a:int=five}", "/6", {"a": "6"}),
        ("{a:}", "/x", {"a": "x"}),
        ("files/{*path}", "/files", {}),
        ("files/{*path}", "/files/", {}),
        ("files/{*path}", "/files/a//b/", {"path": "a//b/"}),
        ("files/{*path}", "/files/a%2Fb", {"path": "a%2Fb"}),
        ("files/{*path=index.html}", "/files", {"path": "index.html"}),
        ("files/{*path:int}", "/files", None),
        ("files/{*path:int}", "/files/7", {"path": "7"}),
        ("files/{*path:nonfile}", "/files", {}),
        ("files/{*path:nonfile}", "/files/a/b.txt", None),
        ("files/{*path}", "/files/../x", None),
        ("files/{*path}", "/files/%2e%2E/x", None),
        ("files/{*path}", "/files/./a/b/..", {"path": "a/"}),
        ("{a}/{b}", "/x//y", None),
        ("a b", "/A%20B", {}),
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
        (r"regex(\()", "(", ")"),
        ("regex(^a:b=c$)", "a:b=c", "a"),
        (r"regex(^(?<year>[0-9]{{4}})$)", "2026", "26"),
        ("INT:Min(2):MAX(4)", "4", "5"),
        ("int", " +7 ", "7.0"),
        ("alpha:length(2,3)", "abc", "ab1"),
        ("bool", " FALSE ", "1"),
        ("datetime", "2016-12-31 7:32pm", "2016-13-31"),
        ("datetime", "2026-11-22T10:30:00Z", "20261122"),
        ("datetime", "Sun, 22 Nov 2026 10:30:00 GMT", "22"),
        ("datetime", "10:30", "25:30"),
        ("decimal", "1,000.5", "1e3"),
        ("decimal", "5-", "--5"),
        ("double", "1,000e3", "1e"),
        ("double", "NaN", "nano"),
        ("float", "-Infinity", "inf"),
        (
            "guid",
            "{6F9619FF-8B86-D011-B42D-00C04FC964FF}",
            "{6F9619FF-8B86-D011-B42D-00C04FC964FF)",
        ),
        ("guid", "6f9619ff8b86d011b42d00c04fc964ff", "6f9619ff-8b86d011b42d00c04fc964ff"),
        ("file", "a.txt", "a"),
        ("file", ".gitignore", "a.."),
        ("nonfile", "a", "a.b.txt"),
        ("range(-3, -1)", "-2", "0"),
        ("required", "x", ""),
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
        "{a:min(1}",
        "{a:int()}",
        "{a:length(3,1)}",
        "{a:range(2,1)}",
        "{a:minlength(-1)}",
        "{a:regex([)}",
        "a//b",
        "a?",
        "{a}{b}",
        "x{*a}",
        "{*a?}",
        "{a=1?}",
        "{a?}.b",
        "{a}-{b?}",
        "x.{b?}",
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


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [
        ("{id:int:min(5)}", "{id:int}", "/7"),
        ("{id:int}", "{id}", "/7"),
        ("v{id}", "{id}", "/v7"),
        ("{*rest:int}", "{*rest}", "/7"),
        ("{id}", "{*rest}", "/7"),
        ("{a}/x", "{a}/{b}", "/7/x"),
    ],
)
def test_narrower_first(first: str, second: str, path: str) -> None:
    """Of two routes that match, the one with more literals and constraints is taken."""
    for templates in ((first, second), (second, first)):
        router = Router([Endpoint(parse_route(t), frozenset(), t) for t in templates])

        found = router.find("GET", path)

        assert found
        assert found[0] == first


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("items/{id:int}", "Items/{number:INT}", True),
        ("items/{id?}", "items/{id}", True),
        ("items/{id:int}", "items/{id}", False),
        ("items/{id}", "items/{*id}", False),
        ("items/{id}", "items", False),
    ],
)
def test_shape(one: str, other: str, same: bool) -> None:
    """Routes that differ in the names of parameters alone have the same shape."""
    assert (parse_route(one).shape == parse_route(other).shape) is same


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
