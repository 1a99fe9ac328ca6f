"""
The place where `azure.functions` calls an app: `AsgiMiddleware` and `WsgiMiddleware`.

`AsgiFunctionApp` and `WsgiFunctionApp` use these, and so do functions of one's own. Both call the
app in a classmethod `from_app` (azure-functions 1.20 to 2.3, `_http_asgi.py` and `_http_wsgi.py`).
"""

from __future__ import annotations

import inspect
import logging
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import wrapt

from funcscope.contrib.web._flask import WatchedFlask
from funcscope.contrib.web._served import serving
from funcscope.contrib.web._starlette import starlette_route
from funcscope.extensions import current_invocation
from funcscope.extensions.integration import look
from funcscope.telemetry.integration import report_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]  # ASGI's own

_logger = logging.getLogger("funcscope.telemetry")

_SERVER_ERROR = 500
_ASGI = ("azure.functions._http_asgi", "AsgiResponse", ("app", "scope", "body"))
_WSGI = ("azure.functions._http_wsgi", "WsgiResponse", ("app", "environ"))


def watch_apps() -> None:
    """Find out which route serves each request that a function hands to an app."""
    _watch(*_ASGI, _serve_asgi)
    _watch(*_WSGI, _serve_wsgi)


def _watch(
    module_name: str, kind: str, parameters: tuple[str, ...], serve: Callable[..., object]
) -> None:
    """Wrap a `from_app`, if it is as expected."""
    try:
        module = import_module(module_name)
        taken = {**inspect.signature(getattr(module, kind).from_app).parameters}
    except Exception:  # noqa: BLE001  (whatever it is, it is not what we know)
        taken = {}
    # Somebody's wrapper around it may take anything.
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in taken.values())
    if tuple(taken) == parameters or takes_any:
        wrapt.wrap_function_wrapper(module_name, f"{kind}.from_app", serve)
    else:
        _logger.warning(
            "routes of web frameworks are not recorded: %s.from_app of this azure-functions "
            "takes %s, not %s",
            kind,
            tuple(taken),
            parameters,
        )


async def _serve_asgi(
    from_app: Callable[..., Awaitable[object]],
    _instance: object,
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> object:
    scope = cast("Scope | None", args[1] if len(args) > 1 else kwargs.get("scope"))
    if not isinstance(scope, dict):
        return await from_app(*args, **kwargs)
    with serving(partial(starlette_route, scope, str(scope.get("root_path") or ""))):
        return await from_app(*args, **kwargs)


def _serve_wsgi(
    from_app: Callable[..., object],
    _instance: object,
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> object:
    given = (*args, *(kwargs.get(name) for name in _WSGI[2][len(args) :]))
    if len(given) != len(_WSGI[2]) or not callable(given[0]):
        return from_app(*args, **kwargs)
    app, environ = given
    watched = WatchedFlask(cast("Callable[..., object]", app))
    with serving(watched.find_route):
        response = from_app(watched, environ)
    _report_error(response)
    return response


def _report_error(response: object) -> None:
    """
    Report a response of which azure.functions makes an exception with the response's body.

    `WsgiMiddleware._handle_errors` does so from 500 on (azure-functions 1.20 to 2.3): bodies are
    not recorded, and what failed is in the framework's own log.
    """
    status = look(response, "_status_code")
    invocation = current_invocation()
    if isinstance(status, int) and status >= _SERVER_ERROR and invocation is not None:
        report_status(invocation, status)
