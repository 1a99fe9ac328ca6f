"""The route template of a request that Flask serves."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class WatchedFlask:
    """
    Calls a WSGI app for one request, and looks for Flask's route when the response starts.

    Werkzeug keeps the request in the environ, and Flask the rule on it until the request's context
    is left (Werkzeug 3.1, `wrappers/request.py`; Flask 3.1, `wrappers.py` and `ctx.py`).

    Args:
        app: The app.
    """

    def __init__(self, app: Callable[..., object]) -> None:
        self._app = app
        self._route: str | None = None

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., object]) -> object:
        """Call the app."""

        def start(*args: Any, **kwargs: Any) -> object:  # the server's own
            with suppress(Exception):
                self._route = flask_route(environ.get("werkzeug.request"))
            return start_response(*args, **kwargs)

        return self._app(environ, start)

    def find_route(self) -> str | None:
        """Return the route, once the app has been called."""
        return self._route


def flask_route(request: object) -> str | None:
    """
    Return the rule that matched a request, below the place where its app is mounted.

    Args:
        request: Werkzeug's, or what else a framework kept in its place.

    Returns:
        Flask's own template, such as `/items/<int:item_id>`; None where no rule matched, or where
        this is not Flask's request.
    """
    rule = getattr(getattr(request, "url_rule", None), "rule", None)
    if not isinstance(rule, str):
        return None
    mounted = str(getattr(request, "root_path", "") or "")
    return f"{mounted.rstrip('/')}{rule}"
