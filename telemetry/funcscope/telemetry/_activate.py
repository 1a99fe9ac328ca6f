"""Turning telemetry on."""

from __future__ import annotations

from importlib import import_module

from funcscope.extensions import install
from funcscope.telemetry._record_fields import add_record_fields


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
