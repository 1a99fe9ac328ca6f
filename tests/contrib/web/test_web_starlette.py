"""Routes are read from what Starlette and FastAPI write into a request's scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router

RouteOf = Callable[..., object]
SLUGS = st.text("abc1-", min_size=1, max_size=8)


async def hello(request: Any) -> PlainTextResponse:
    """Answer."""
    return PlainTextResponse("hello")


async def other(request: Any) -> PlainTextResponse:
    """Answer, too."""
    return PlainTextResponse("other")


def nested(*mounts: str) -> Starlette:
    """Mount an app of two routes below each of some paths."""
    below = [Route("/users/{user}", hello), Route("/", other, methods=["POST"])]
    return Starlette(routes=[Mount(path, app=Starlette(routes=below)) for path in mounts])


def like_an_older_one(app: Any) -> Any:
    """Return an app that leaves out of the scope what Starlette before 1.0 does not write."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        scope.pop("route", None)

    return call


@pytest.mark.parametrize("changed", [lambda app: app, like_an_older_one], ids=["new", "old"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/items/1", "/items/{item_id:int}"),
        ("/things/1", "/things/{thing}"),
        ("/deep/down/here/1", "/deep/down/here/{thing}"),
        ("/files/no/such.txt", "/files/{path}"),
        ("/items/x", None),
        ("/items/1/", None),
    ],
)
def test_routes(route_of: RouteOf, path: str, expected: str | None, changed: Any) -> None:
    """A route is told with its mounts, and none where none matched."""
    here = Mount("/here", routes=[Route("/{thing}", hello)])
    routes = [
        Route("/items/{item_id:int}", hello),
        Route("/things/{thing}", hello),
        Mount("/deep", routes=[Mount("/down", app=Router(routes=[here]))]),
        Mount("/files", app=Starlette()),
    ]

    assert route_of(changed(Starlette(routes=routes)), path) == expected


def test_a_route_of_another_method(route_of: RouteOf) -> None:
    """A request by a method that a route does not take is still that route's."""
    app = Starlette(routes=[Route("/items/{item_id}", hello, methods=["POST"])])

    assert route_of(app, "/items/1") == "/items/{item_id}"


@pytest.mark.parametrize(
    ("mount", "path", "expected"),
    [
        ("/{tenant}", "/acme/users/7", "/{tenant}/users/{user}"),
        ("/acme/{tenant}", "/acme/acme/users/7", "/acme/{tenant}/users/{user}"),
        ("/{a}/x/{b}", "/1/x/1/users/7", "/{a}/x/{b}/users/{user}"),
        ("/{tenant:path}/in", "/a/b/in/users/7", "/{tenant}/in/users/{user}"),
        ("/{tenant:int}", "/007/users/7", None),
    ],
)
def test_parameters_of_mounts(
    route_of: RouteOf, mount: str, path: str, expected: str | None
) -> None:
    """A mount's parameters are put back; where that cannot be, no path is told for a template."""
    assert route_of(nested(mount), path) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tenant=SLUGS, user=SLUGS)
def test_no_value_is_in_a_route(route_of: RouteOf, tenant: str, user: str) -> None:
    """Whatever the values, the template is the same."""
    path = f"/t/{tenant}/users/{user}"

    assert route_of(nested("/t/{tenant}"), path) == "/t/{tenant}/users/{user}"


@pytest.mark.parametrize(
    ("path", "expected"), [("/api/items/1", "/api/items/{n}"), ("/items/1", "/items/{n}")]
)
def test_root_path(route_of: RouteOf, path: str, expected: str) -> None:
    """The app's root path is told where the request's path has it."""
    inner = Starlette(routes=[Route("/items/{n}", hello)])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["root_path"] = "/api"
        await inner(scope, receive, send)

    assert route_of(app, path) == expected


def test_a_copied_scope(route_of: RouteOf) -> None:
    """A middleware that passes a copy of the scope on hides the route: the function's stays."""
    inner = Starlette(routes=[Route("/items/{n}", hello)])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await inner(dict(scope), receive, send)

    assert route_of(app, "/items/1") is None


def test_fastapi_routers(route_of: RouteOf) -> None:
    """What routers were included with is told, whatever they hold."""
    fastapi = pytest.importorskip("fastapi")
    app, outer, inner = fastapi.FastAPI(), fastapi.APIRouter(), fastapi.APIRouter()
    inner.add_api_route("/{item}", lambda item: item)
    inner.add_route("/plain/{thing}", hello)
    inner.mount("/mounted", nested("/below"))
    outer.include_router(inner, prefix="/inner")
    app.include_router(outer, prefix="/outer/{shop}")
    app.add_route("/plain/{thing}", hello)

    assert route_of(app, "/outer/1/inner/2") == "/outer/{shop}/inner/{item}"
    assert route_of(app, "/outer/1/inner/plain/2") == "/outer/{shop}/inner/plain/{thing}"
    assert route_of(app, "/plain/2") == "/plain/{thing}"
    assert route_of(app, "/openapi.json") == "/openapi.json"
