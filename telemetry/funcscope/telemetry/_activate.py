"""Turning telemetry on."""

from __future__ import annotations

from importlib import import_module

from funcscope.extensions import install, propagate
from funcscope.telemetry._record_fields import add_record_fields


def activate() -> None:
    """
    Record every invocation from now on; calling it again changes nothing.

    Hooks the worker, carries invocations into threads, gives log records their fields, and
    registers the extension, which importing its module does.
    """
    install()
    propagate()
    add_record_fields()
    import_module("funcscope.telemetry._extension")
