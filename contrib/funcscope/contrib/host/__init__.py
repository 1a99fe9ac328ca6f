"""
A local Azure Functions host, for development and tests only.

It drives Microsoft's own library worker (Python 3.13 and later) in a process of its own, serves
the app's HTTP routes, and shows every trace that the app exports. In production, the host is
Azure's. The command is `funcscope run APP_DIR`; tests use `LibraryWorker` without HTTP, and
`OtlpReceiver` with `TelemetryStore` as a receiver for OTLP. Needs the extra `host`; what a name
needs is loaded when it is asked for, so that the command can say that the extra is missing.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcscope.contrib.host._app import FunctionApp, FunctionFile, find_app
    from funcscope.contrib.host._errors import HostError
    from funcscope.contrib.host._traces.otlp import (
        Batch,
        ReceivedEvent,
        ReceivedLink,
        ReceivedLog,
        ReceivedMetric,
        ReceivedPoint,
        ReceivedSpan,
    )
    from funcscope.contrib.host._traces.receiver import OtlpReceiver
    from funcscope.contrib.host._traces.store import TelemetryStore
    from funcscope.contrib.host._worker.library import LibraryWorker
    from funcscope.contrib.host._worker.protocol import TypedData, function_rpc
    from funcscope.contrib.host._worker.triggers import TriggerData, trigger_data
    from funcscope.contrib.host._worker.worker import LoadedFunction, Outcome

__all__ = [
    "Batch",
    "FunctionApp",
    "FunctionFile",
    "HostError",
    "LibraryWorker",
    "LoadedFunction",
    "OtlpReceiver",
    "Outcome",
    "ReceivedEvent",
    "ReceivedLink",
    "ReceivedLog",
    "ReceivedMetric",
    "ReceivedPoint",
    "ReceivedSpan",
    "TelemetryStore",
    "TriggerData",
    "TypedData",
    "find_app",
    "function_rpc",
    "trigger_data",
]

_HOMES = {
    "Batch": "_traces.otlp",
    "FunctionApp": "_app",
    "FunctionFile": "_app",
    "HostError": "_errors",
    "LibraryWorker": "_worker.library",
    "LoadedFunction": "_worker.worker",
    "OtlpReceiver": "_traces.receiver",
    "Outcome": "_worker.worker",
    "ReceivedEvent": "_traces.otlp",
    "ReceivedLink": "_traces.otlp",
    "ReceivedLog": "_traces.otlp",
    "ReceivedMetric": "_traces.otlp",
    "ReceivedPoint": "_traces.otlp",
    "ReceivedSpan": "_traces.otlp",
    "TelemetryStore": "_traces.store",
    "TriggerData": "_worker.triggers",
    "TypedData": "_worker.protocol",
    "find_app": "_app",
    "function_rpc": "_worker.protocol",
    "trigger_data": "_worker.triggers",
}


def __getattr__(name: str) -> object:
    """Load what a name stands for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(_import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    """List what may be asked for."""
    return __all__
