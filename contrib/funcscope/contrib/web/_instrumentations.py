"""
The server spans of OpenTelemetry's instrumentations, which all come from one function.

FastAPI's, Starlette's and others are the ASGI one, and Flask's is beside the WSGI one (version
0.66b2; each imports `_start_internal_or_server_span` of `opentelemetry.instrumentation.utils`).
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import wrapt
from opentelemetry.trace import get_current_span

from funcscope.contrib.web._joined_span import JoinedSpan
from funcscope.contrib.web._served import framework_request
from funcscope.extensions.integration import OnceLog, guarded
from funcscope.telemetry.integration import recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

INSTRUMENTATIONS = (
    "opentelemetry.instrumentation.asgi",
    "opentelemetry.instrumentation.flask",
    "opentelemetry.instrumentation.wsgi",
)

_START = "_start_internal_or_server_span"

_COUNTED = (
    "requests are counted twice at Azure Monitor, which counts the host's, and by OpenTelemetry's "
    "instrumentation of their web framework: turn that off, as by configure_azure_monitor("
    'instrumentation_options={"fastapi": {"enabled": False}}), or its metrics'
)

_logger = logging.getLogger("funcscope.telemetry")
_once = OnceLog(_logger)
_joined: set[str] = set()


def watch_instrumentations() -> None:
    """Make the server spans of instrumentations, whenever they are imported, the invocation's."""
    for name in INSTRUMENTATIONS:
        if not _is_half_imported(sys.modules.get(name)):
            wrapt.register_post_import_hook(_join, name)


def join_instrumentations() -> None:
    """Do so for those that were half imported: Flask's imports Flask, which has us watch."""
    for name in INSTRUMENTATIONS:
        module = sys.modules.get(name)
        # One that does not have what is wrapped yet is left to the hook after its import.
        if module is not None and (hasattr(module, _START) or not _is_half_imported(module)):
            _join(module)


def _is_half_imported(module: ModuleType | None) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _join(module: ModuleType) -> None:
    if module.__name__ in _joined:
        return
    if callable(getattr(module, _START, None)):
        _joined.add(module.__name__)
        wrapt.wrap_function_wrapper(module, _START, _start)
    else:
        _logger.warning(
            "%s makes spans beside the invocation's: it is not as expected", module.__name__
        )


def _tell_of_counts() -> None:
    """Say once where an instrumentation measures requests that their destination counts itself."""
    session = recorder().session.active
    if session is not None and session.metrics.are_requests_counted:
        _once.log("%s", _COUNTED)


def _start(
    start: Callable[..., object],
    _instance: object,
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> object:
    """Return the invocation's span where it is this request's, and no token to detach."""
    request = framework_request()
    if request is None:
        return start(*args, **kwargs)
    current = get_current_span()
    if current.get_span_context() != request.span.get_span_context():
        return start(*args, **kwargs)
    guarded(_tell_of_counts, _logger, "it cannot be told whether requests are counted twice")
    return (current if isinstance(current, JoinedSpan) else JoinedSpan(request)), None
