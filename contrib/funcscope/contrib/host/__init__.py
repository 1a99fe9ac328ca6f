"""
A local Azure Functions host, for development and tests only.

It drives Microsoft's own library worker (Python 3.13 and later) in a process of its own, serves
the app's HTTP routes, and shows every trace that the app exports. In production, the host is
Azure's. The command is `funcscope run APP_DIR`; tests use `LibraryWorker` without HTTP, and
`OtlpReceiver` with `TelemetryStore` as a receiver for OTLP. Needs the extra `host`.
"""

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
