"""Compatibility with the retired extension, and of OpenCensus with new workers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import wrapt
from azure.functions.extension import ExtensionMeta

from funcscope.contrib.opencensus._census import (
    AlwaysOffSampler,
    NoopTracer,
    TraceContextPropagator,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

RETIRED = "opencensus.extension.azure.functions"
LOG_EXPORTER = "opencensus.ext.azure.log_exporter"

_logger = logging.getLogger("funcscope.opencensus")


def replace_retired() -> None:
    """Keep the retired package's extension from running, now or when it is imported."""
    wrapt.register_post_import_hook(_stand_down, RETIRED)


def _stand_down(module: ModuleType) -> None:
    """
    Take the hooks of opencensus-extension-azure-functions 1.0.0 out of Microsoft's registry.

    It would put a tracer of its own in the place of ours, whose spans go to its own exporter.
    """
    retired: object = vars(module).get("OpenCensusExtension")
    hooks: Any = ExtensionMeta.get_application_hooks()
    for name in ("pre_invocation_app_level", "post_invocation_app_level"):
        listed = cast("list[Any] | None", getattr(hooks, name, None)) or []
        listed[:] = [h for h in listed if getattr(h.ext_impl, "__self__", None) is not retired]
    _logger.warning(
        "%s is imported beside funcscope.contrib.opencensus, and left out so that nothing is "
        "recorded twice: remove its import",
        RETIRED,
    )


def repair_log_handlers() -> None:
    """
    Let handlers such as `AzureLogHandler` (opencensus-ext-azure 1.1.15) work on Python 3.13.

    They have None for a lock, on purpose: with one, the flush at exit would wait for a thread
    that logs. Python 3.13 enters a handler's lock without a look at it, so each log call raises.
    """
    wrapt.register_post_import_hook(_give_locks, LOG_EXPORTER)


def _give_locks(module: ModuleType) -> None:
    base = cast("type[logging.Handler]", module.BaseLogHandler)
    setattr(base, "createLock", _give_lock)  # noqa: B010  (for mypy)
    known = cast("list[Callable[[], object]]", getattr(logging, "_handlerList", []))
    for handler in [reference() for reference in known]:  # made before this module was imported
        if isinstance(handler, base) and handler.lock is None:
            _give_lock(handler)


def _give_lock(handler: logging.Handler) -> None:
    setattr(handler, "lock", _NoLock())  # noqa: B010  (no lock to types)


class _NoLock:
    """Locks nothing."""

    def acquire(self) -> None:
        """Go on."""

    release = acquire
    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        """Go on."""


def complete_noop_tracer() -> None:
    """
    Give OpenCensus's tracer that does nothing what `opencensus-ext-threading` asks a tracer for.

    That (0.1.2) wraps `ThreadPoolExecutor.submit` for the whole process and reads these of the
    current tracer. Outside invocations, as where the worker hands a function to its pool, that
    is a `NoopTracer`, which lacks them: no function would be called any more.
    """
    missing = {
        "sampler": AlwaysOffSampler(),
        "exporter": _NoExporter(),
        "propagator": TraceContextPropagator(),
    }
    for name, value in missing.items():
        if not hasattr(NoopTracer, name):
            setattr(NoopTracer, name, value)


class _NoExporter:
    """Exports nothing."""

    def export(self, ended: object) -> None:
        """Let what has ended go."""

    emit = export
