"""Turning telemetry on."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

import wrapt

from funcscope.extensions import install
from funcscope.telemetry._record_fields import add_record_fields

if TYPE_CHECKING:
    from types import ModuleType

WEB_FRAMEWORKS = ("flask", "starlette")
"""What serves many routes behind one function, once an app imports it (docs/decisions/020)."""

_logger = logging.getLogger("funcscope.telemetry")
_watched: list[str] = []


def activate() -> None:
    """
    Record every invocation from now on; calling it again changes nothing.

    Hooks the worker, gives log records their fields, and registers the extension, which
    importing its module does. Invocations are carried into threads from when the settings are
    read, which may switch that off: when the first function was loaded.
    """
    install()
    add_record_fields()
    import_module("funcscope.telemetry._extension")
    for name in WEB_FRAMEWORKS:
        if name not in _watched:
            _watched.append(name)
            wrapt.register_post_import_hook(_join_web_framework, name)


def _join_web_framework(_framework: ModuleType) -> None:
    """Load what knows web frameworks: by name, as telemetry does not import integrations."""
    try:
        import_module("funcscope.contrib.web").install()
    except Exception:
        _logger.exception("the routes of web frameworks are not recorded")
