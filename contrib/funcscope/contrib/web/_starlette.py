"""
The route template of a request that Starlette or FastAPI has served.

Both write what they found into the request's scope: the route (Starlette 1.x, FastAPI; the endpoint
alone before), where its app is mounted, the values of path parameters, and, for a router that was
included with a prefix, FastAPI's own context (Starlette 1.10, `routing.py`; FastAPI 0.165,
`routing.py`). A middleware that passes a copy of the scope on hides that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Scope = Mapping[str, Any]  # ASGI's own

_BELOW_MOUNT = "/{path}"


def starlette_route(scope: Scope, first_root: str = "") -> str | None:
    """
    Return the template of the path that was asked for, mounts and the app's root path included.

    Args:
        scope: What the app was called with, and has written to.
        first_root: The root path that it was called with.

    Returns:
        The frameworks' own template, such as `/items/{item_id}`; `/{path}` stands for what comes
        below a mount that is no router or knows no such route. None where no route matched, or
        where a template cannot be told from a path.
    """
    route = scope.get("route") or _route_of(scope)
    template, parameters = _template(scope, route)
    if template is None:
        return None
    root = str(scope.get("root_path") or "")
    if not _is_below(str(scope.get("path") or ""), root):
        root = first_root
    mounted = _mount_template(root, scope.get("path_params") or {}, parameters)
    return None if mounted is None else f"{mounted}{template}" or "/"


def _template(scope: Scope, route: object) -> tuple[str | None, frozenset[str]]:
    """Return a route's template below its mount, and the names of its parameters."""
    included: object = cast("Scope", scope.get("fastapi") or {}).get("effective_route_context")
    if included is not None and route in (None, getattr(included, "original_route", None)):
        prefixed = getattr(included, "starlette_route", None)
        route = included if prefixed is None else prefixed
    path = getattr(route, "path", None)
    if not isinstance(path, str):
        return None, frozenset()
    if hasattr(route, "routes"):  # a mount: its own path is in the root path
        return _BELOW_MOUNT, frozenset()
    return path, frozenset(getattr(route, "param_convertors", ()))


def _mount_template(root: str, values: Mapping[str, Any], own: frozenset[str]) -> str | None:
    """Put back the names of a mount's parameters; None where a value cannot be found."""
    for name in reversed([name for name in values if name not in own]):
        before, match, after = f"{root}/".rpartition(f"/{values[name]}/")
        if not match:
            return None
        root = f"{before}/{{{name}}}/{after}"[:-1]
    return root.rstrip("/")


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root.rstrip('/')}/")


def _route_of(scope: Scope) -> object | None:
    """Find a route by its endpoint, which is all that older Starlettes tell."""
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return None
    routes = [route for route in _walk(scope.get("router")) if _serves(route, endpoint)]
    if len(routes) > 1:
        root = str(scope.get("root_path") or "")
        path = str(scope.get("path") or "")
        below = path[len(root) :] if _is_below(path, root) else path
        routes = [route for route in routes if route.path_regex.match(below)]
    return routes[0] if routes else None


def _serves(route: Any, endpoint: object) -> bool:  # whatever has routes
    is_mount = hasattr(route, "routes")
    return getattr(route, "app" if is_mount else "endpoint", None) is endpoint


def _walk(router: Any) -> Iterator[Any]:  # whatever has routes
    for route in getattr(router, "routes", None) or ():
        yield route
        yield from _walk(route)
