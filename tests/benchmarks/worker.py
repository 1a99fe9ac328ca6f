"""
Driving Microsoft's library worker, with next to nothing imported for it.

The order of calls is that of `funcscope.contrib.host`, whose package would load what the
benchmark counts: protobuf's classes for OTLP, for one.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import sys
import uuid
from pathlib import Path
from time import perf_counter_ns
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
PROTOCOL = ROOT / "contrib" / "funcscope" / "contrib" / "host" / "_worker" / "protocol.py"
# What Azure's front end sends with a request, shortened.
HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip, deflate, br",
    "client-ip": "203.0.113.7:50312",
    "disguised-host": "app.azurewebsites.net",
    "host": "app.azurewebsites.net",
    "max-forwards": "10",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64)",
    "was-default-hostname": "app.azurewebsites.net",
    "x-appservice-proto": "https",
    "x-arr-ssl": "2048|256|CN=Microsoft Azure RSA TLS Issuing CA 04|CN=*.azurewebsites.net",
    "x-forwarded-for": "203.0.113.7:50312",
    "x-forwarded-proto": "https",
    "x-original-url": "/api/hello?page=2",
    "x-site-deployment-id": "app",
    "x-waws-unencoded-url": "/api/hello?page=2",
}
Message = Any  # what the worker takes: message classes made at run time
Protos = Any  # likewise


class FailedCallError(Exception):
    """The worker could not do what it was asked to; the message has its own."""


class Worker:
    """The library worker of this process, with one app."""

    def __init__(self) -> None:
        self._package: Any = importlib.import_module("azure_functions_runtime")
        self._protos = _protos()
        self._functions: dict[str, tuple[str, str]] = {}

    async def start(self, app: Path) -> None:
        """Import the app and load its functions."""
        os.environ["AzureWebJobsScriptRoot"] = str(app)  # noqa: SIM112  (the host's spelling)
        sys.path.insert(0, str(app))
        protos, package = self._protos, self._package
        package.start_threadpool_executor()
        started = await package.worker_init_request(
            self._message(
                worker_init_request=protos.WorkerInitRequest(
                    host_version="4.0.0", function_app_directory=str(app)
                )
            )
        )
        self._check(started)
        indexed = await package.functions_metadata_request(
            self._message(
                functions_metadata_request=protos.FunctionsMetadataRequest(
                    function_app_directory=str(app)
                )
            )
        )
        self._check(indexed)
        for metadata in indexed.function_metadata_results:
            await self._load(metadata)

    async def _load(self, metadata: Message) -> None:
        request = self._protos.FunctionLoadRequest(
            function_id=metadata.function_id, metadata=metadata
        )
        self._check(
            await self._package.function_load_request(self._message(function_load_request=request))
        )
        self._functions[metadata.name] = (metadata.function_id, "req")

    def requests(self, function: str, count: int) -> list[Message]:
        """Make requests as the host sends them: each has its id, and its own trace."""
        return list(self.stream(function, count))

    def stream(self, function: str, count: int) -> Iterator[Message]:
        """Make the same requests, each when it is asked for."""
        return (self._request(*self._functions[function]) for _ in range(count))

    def _request(self, function_id: str, parameter: str) -> Message:
        protos = self._protos
        parent = f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
        http = protos.RpcHttp(
            method="GET",
            url="https://app.azurewebsites.net/api/hello?page=2",
            headers={**HEADERS, "traceparent": parent},
            query={"page": "2"},
            body=protos.TypedData(bytes=b""),
        )
        value = protos.TypedData(http=http)
        return self._message(
            invocation_request=protos.InvocationRequest(
                invocation_id=str(uuid.uuid4()),
                function_id=function_id,
                input_data=[protos.ParameterBinding(name=parameter, data=value)],
                trace_context=protos.RpcTraceContext(trace_parent=parent),
            )
        )

    async def one_by_one(self, requests: Iterable[Message]) -> list[int]:
        """Return nanoseconds for each, from the task that the worker's proxy makes to its end."""
        invoke, took = self._package.invocation_request, list[int]()
        loop, response = asyncio.get_running_loop(), None
        for request in requests:
            start = perf_counter_ns()
            response = await loop.create_task(invoke(request))
            took.append(perf_counter_ns() - start)
        self._check(response)
        return took

    async def at_once(self, requests: Iterable[Message], clients: int) -> list[int]:
        """Return nanoseconds for each, of clients that make one call after another."""
        waiting = iter(requests)
        shares = await asyncio.gather(*(self.one_by_one(waiting) for _ in range(clients)))
        return [took for share in shares for took in share]

    def _message(self, **content: Message) -> Message:
        return SimpleNamespace(
            request=self._protos.StreamingMessage(request_id="1", **content),
            properties={"protos": self._protos, "host": "127.0.0.1"},
        )

    def _check(self, response: Message) -> None:
        if response.result.status != self._protos.StatusResult.Success:
            raise FailedCallError(response.result.exception.message)


def _protos() -> Protos:
    spec = importlib.util.spec_from_file_location("function_rpc", PROTOCOL)
    if spec is None or spec.loader is None:
        raise FailedCallError(f"{PROTOCOL.name} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.function_rpc()
