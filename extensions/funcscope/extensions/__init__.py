"""
Worker extensions on every Azure Functions Python worker.

Extensions written to Microsoft's `AppExtensionBase` and `FuncExtensionBase` run unchanged
once `install()` was called; `AppExtension` and `FuncExtension` add one hook, around the
whole invocation. Nothing here loads OpenTelemetry.
"""

from funcscope.extensions._bases import AppExtension, FuncExtension
from funcscope.extensions._errors import ExtensionError, Reject
from funcscope.extensions._invocation import (
    Binding,
    Context,
    Function,
    Invocation,
    RetryContext,
    TraceContext,
    current_invocation,
)
from funcscope.extensions._lifecycle.observers import Step
from funcscope.extensions._propagation.patches import no_propagation, propagate
from funcscope.extensions._status import ExtensionStatus, Status, WorkerStatus
from funcscope.extensions._workers.install import install, status

__all__ = [
    "AppExtension",
    "Binding",
    "Context",
    "ExtensionError",
    "ExtensionStatus",
    "FuncExtension",
    "Function",
    "Invocation",
    "Reject",
    "RetryContext",
    "Status",
    "Step",
    "TraceContext",
    "WorkerStatus",
    "current_invocation",
    "install",
    "no_propagation",
    "propagate",
    "status",
]
