"""Threads that libraries start for their own ends, and that belong to no invocation."""

from __future__ import annotations

from functools import lru_cache, partial
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping

LIBRARY_CALLS: Mapping[str, str] = {
    "asyncio.futures": "the event loop waiting for a pool's call",
    "azure.eventhub._buffered_producer": "the buffered producer (azure-eventhub 5.15)",
    "azure.servicebus._common.auto_lock_renewer": "the lock renewer (azure-servicebus 7.15)",
}
"""Calls that belong to no invocation, also where a pool makes them: name, and what it is for."""

LIBRARY_THREADS: Mapping[str, str] = {
    **LIBRARY_CALLS,
    "anyio._backends._asyncio.WorkerThread": "threads that carry the context of each call "
    "themselves, as for Starlette's and FastAPI's sync routes (anyio 4.16)",
    "applicationinsights": "the sender (applicationinsights 0.11)",
    "apscheduler": "schedulers (APScheduler 3.11)",
    "azure.cosmos._global_endpoint_manager": "the refresh of endpoints (azure-cosmos 4.17)",
    "azure.eventhub": "keep-alive and load balancing (azure-eventhub 5.15)",
    "azure.monitor": "exporters (azure-monitor-opentelemetry-exporter 1.0)",
    "azure.servicebus": "keep-alive (azure-servicebus 7.15)",
    "azure_functions_runtime": "the worker",
    "azure_functions_runtime_v1": "the worker",
    "azure_functions_worker": "the worker",
    "concurrent.futures": "threads of pools; what is submitted is carried",
    "datadog": "senders",
    "ddtrace": "writers and remote configuration",
    "debugpy": "the debugger",
    "elasticapm": "the transport (elastic-apm 6.26)",
    "grpc": "channels (grpcio 1.85)",
    "kafka": "the producer's and the consumer's network loop (kafka-python 3.0)",
    "ldclient": "streams and events (launchdarkly-server-sdk 9.20)",
    "logging.handlers": "`QueueListener`",
    "loguru": "the writers of sinks with `enqueue=True` (loguru 0.7)",
    "multiprocessing.managers": "managers",
    "multiprocessing.pool": "threads of pools; what is submitted is carried",
    "multiprocessing.queues": "the feeder of a queue",
    "newrelic": "the harvester (newrelic 14.1)",
    "opencensus": "exporters (opencensus 0.11)",
    "opentelemetry.exporter": "exporters",
    "opentelemetry.sdk": "batches and metric readers (opentelemetry-sdk 1.45)",
    "paho.mqtt": "the network loop (paho-mqtt 2.2)",
    "prometheus_client": "the endpoint",
    "proxy_worker": "the worker",
    "psycopg_pool": "workers of connection pools (psycopg-pool 3.3)",
    "pydevd": "the debugger",
    "pymongo": "monitors of servers (pymongo 4.20)",
    "redis": "subscriptions and health checks (redis 8.1)",
    "sentry_sdk": "the transport and sessions (sentry-sdk 2.75)",
    "snowflake": "heartbeats",
    "socketserver": "servers",
    "tqdm": "the monitor of progress bars",
    "watchdog": "observers (watchdog 7.1)",
}
"""Packages, modules, classes and functions whose threads belong to no invocation, and why."""


class LibraryThreads:
    """The threads and calls of libraries, as far as they are known by their names."""

    def __init__(self) -> None:
        self._calls = _Names(LIBRARY_CALLS)
        self._threads = _Names(LIBRARY_THREADS)

    def add(self, names: Iterable[str]) -> None:
        """Add import names of packages, modules or classes whose threads are left alone."""
        new = [name for name in names if name not in self._calls.names]
        if new:  # else all that is cached would be forgotten for nothing
            self._calls = _Names((*self._calls.names, *new))
            self._threads = _Names((*self._threads.names, *new))

    def is_library_thread(self, thread: threading.Thread) -> bool:
        """Whether a library starts a thread: its class or its target is the library's."""
        # `Thread` keeps its target there, and `Timer` its function (CPython 3.10 to 3.14).
        fields = vars(thread)
        targets = (fields.get("_target"), fields.get("function"))
        return self._threads.hold(type(thread)) or any(
            self._threads.hold(target) for target in targets if target is not None
        )

    def is_library_call(self, call: object) -> bool:
        """Whether a call that is submitted to a pool is a library's."""
        return self._calls.hold(call)


class _Names:
    """Names of packages, modules, classes and functions, with the answers for what was asked."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._prefixes = tuple(f"{name}." for name in self.names)
        self._cache: dict[tuple[object, object], bool] = {}

    def hold(self, call: object) -> bool:
        """Whether a class or callable is one of them, or in one of them."""
        key = _name(call)
        is_held = self._cache.get(key)
        if is_held is None:
            if len(self._cache) > _CACHE_SIZE:  # an app that makes classes as it goes
                self._cache.clear()
            is_held = self._cache[key] = f"{key[0]}.{key[1]}.".startswith(self._prefixes)
        return is_held


_CACHE_SIZE = 1000
_NAMED = frozenset({FunctionType, BuiltinFunctionType, type(lru_cache(int))})
"""Types of callables with a name of their own, and attributes that run no code of an app's."""
_INNER: Mapping[type, Callable[[Any], object]] = {
    partial: attrgetter("func"),
    MethodType: attrgetter("__func__"),
}
"""How to get the callable that another one calls."""
_PROXIES = ("wrapt", "newrelic")
"""Packages of proxies, which stand in a function's place with its name (wrapt 2.2, newrelic 14)."""


def _name(call: object) -> tuple[str, str]:
    """
    Return the module and name of a callable, else of its class.

    An app's own class is asked for nothing: what an attribute does there, or whether it is true or
    equal to something, is for the app to know.
    """
    while type(call) in _INNER:
        call = _INNER[type(call)](call)
    kind: type = type(call)
    if kind in _NAMED or _of_class(kind)[0].startswith(_PROXIES):
        return _text(getattr(call, "__module__", "")), _text(getattr(call, "__qualname__", ""))
    return _of_class(call if issubclass(kind, type) else kind)


def _of_class(kind: Any) -> tuple[str, str]:
    look_up = type.__getattribute__
    return _text(look_up(kind, "__module__")), _text(look_up(kind, "__qualname__"))


def _text(name: object) -> str:
    return name if type(name) is str else ""
