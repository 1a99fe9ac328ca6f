"""
Driving one of Microsoft's library workers without its host process.

The order of calls is the one of the worker's own proxy: `start_threadpool_executor`,
`worker_init_request`, `functions_metadata_request`, `function_load_request` for each function, and
`invocation_request`. Source: `handle_event.py` of azure-functions-runtime 1.3.0 and
azure-functions-runtime-v1 1.2.0.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import uuid
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from funcscope.contrib._local.app import WORKER_PACKAGES, is_trigger
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._retry_policy import policy_from_message
from funcscope.contrib.host._worker.protocol import TypedData, function_rpc
from funcscope.contrib.host._worker.tracebacks import app_traceback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.contrib._local.app import BindingDict
    from funcscope.contrib.host._app import FunctionApp, FunctionFile
    from funcscope.contrib.host._retry_policy import RetryPolicy, RetryState
    from funcscope.contrib.host._worker.protocol import Protos

MINIMUM_PYTHON = (3, 13)
_NO_METADATA: Mapping[str, TypedData] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LoadedFunction:
    """
    A function that the worker is ready to call.

    Attributes:
        id: The id to invoke it by.
        bindings: Each binding with all its properties, as in `function.json`.
        retry: Its retry policy, None where it has none.
    """

    name: str
    id: str
    bindings: tuple[BindingDict, ...]
    retry: RetryPolicy | None = None

    @property
    def trigger(self) -> BindingDict:
        """The binding that starts the function."""
        return next(filter(is_trigger, self.bindings), self.bindings[0])

    @property
    def trigger_type(self) -> str:
        """The trigger's type, such as `httpTrigger`."""
        return str(self.trigger["type"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    The outcome of one invocation.

    Attributes:
        is_ok: False where the function raised, or the worker could not call it.
        value: The function's return value, None where there is none.
        outputs: The values of output bindings by their names.
        error: The exception's type and message, `""` where `is_ok`.
        stack_trace: The exception's formatted traceback with the worker's frames.
    """

    is_ok: bool
    value: TypedData | None
    outputs: Mapping[str, TypedData]
    error: str
    stack_trace: str


class LibraryWorker:
    """
    One of Microsoft's library workers, running one app in this process.

    A process can run one app only: workers keep their functions in module variables. `start`
    changes the working directory, `sys.path` and the environment, as the real worker does.

    Attributes:
        http_uri: Where the worker itself serves an app that uses HTTP streams; None otherwise.
    """

    def __init__(self, app: FunctionApp, package: object, protos: Protos) -> None:
        self._app = app
        self._package: Any = package  # a module of Microsoft's, which has no types
        self._protos = protos
        self.http_uri: str | None = None

    @classmethod
    def for_app(cls, app: FunctionApp) -> LibraryWorker:
        """
        Take the worker for the app's programming model.

        Raises:
            HostError: This Python has no library worker, or it is not installed.
        """
        check_python()
        name = WORKER_PACKAGES[app.model]
        try:
            package = importlib.import_module(name)
        except ImportError as error:
            raise HostError(
                f'the worker {name} cannot be imported ({error}): pip install "funcscope[host]"'
            ) from error
        return cls(app, package, function_rpc())

    async def start(self) -> tuple[LoadedFunction, ...]:
        """
        Import the app and load its functions.

        Raises:
            HostError: The app cannot be imported or indexed; the message has its traceback.
        """
        _enter_app(self._app)
        self._package.start_threadpool_executor()
        try:
            await self._initialize()
            indexed = await self._index()
            return tuple([await self._load(metadata) for metadata in indexed])
        except BaseException:
            self.stop()
            raise

    async def invoke(
        self,
        function: LoadedFunction,
        inputs: Mapping[str, TypedData],
        *,
        invocation_id: str,
        trace_parent: str,
        trace_state: str = "",
        metadata: Mapping[str, TypedData] = _NO_METADATA,
        retry: RetryState | None = None,
    ) -> Outcome:
        """
        Call a function and wait for its outcome.

        Args:
            function: One of those that `start` returned.
            inputs: The values of input bindings by their names, the trigger's included.
            invocation_id: A GUID, as the host would make it.
            trace_parent: The W3C `traceparent` that stands for the host's request.
            trace_state: The W3C `tracestate`.
            metadata: The trigger's metadata, such as a queue message's `DequeueCount`.
            retry: Which attempt it is, where the function has a retry policy.
        """
        protos = self._protos
        request = protos.InvocationRequest(
            invocation_id=invocation_id,
            function_id=function.id,
            input_data=[protos.ParameterBinding(name=n, data=d) for n, d in inputs.items()],
            trigger_metadata=dict(metadata),
            trace_context=protos.RpcTraceContext(
                trace_parent=trace_parent, trace_state=trace_state
            ),
            retry_context=None if retry is None else retry.message(protos),
        )
        response = await self._ask("invocation_request", request)
        return Outcome(
            is_ok=response.result.status == protos.StatusResult.Success,
            value=response.return_value if response.HasField("return_value") else None,
            outputs={output.name: output.data for output in response.output_data},
            error=response.result.exception.message,
            stack_trace=response.result.exception.stack_trace,
        )

    def stop(self) -> None:
        """Stop the worker's threads; blocks until the functions running on them have returned."""
        self._package.stop_threadpool_executor()

    async def _initialize(self) -> None:
        request = self._protos.WorkerInitRequest(
            host_version="4.0.0", function_app_directory=str(self._app.directory)
        )
        try:
            response = await self._ask("worker_init_request", request)
        except SystemExit as error:
            raise HostError(
                f"the app in {self._app.directory} ended the process while it was imported "
                f"(SystemExit: {error}): it must not call sys.exit()"
            ) from error
        self._check(response.result, f"the app in {self._app.directory} cannot be loaded")
        self.http_uri = response.capabilities.get("HttpUri") or None

    async def _index(self) -> list[Protos]:
        """Return the metadata of the app's functions; v1 workers leave finding them to hosts."""
        if self._app.model == "v1":
            return [_metadata_of(file, self._protos) for file in self._app.functions]
        request = self._protos.FunctionsMetadataRequest(
            function_app_directory=str(self._app.directory)
        )
        response = await self._ask("functions_metadata_request", request)
        self._check(response.result, f"the functions in {self._app.directory} cannot be listed")
        if not response.function_metadata_results:
            raise HostError(
                f"the app in {self._app.directory} has no functions: "
                "decorate one, for example with @app.route()"
            )
        return list(response.function_metadata_results)

    async def _load(self, metadata: Protos) -> LoadedFunction:
        request = self._protos.FunctionLoadRequest(
            function_id=metadata.function_id, metadata=metadata
        )
        response = await self._ask("function_load_request", request)
        self._check(response.result, f"function {metadata.name!r} cannot be loaded")
        bindings = tuple(json.loads(raw) for raw in metadata.raw_bindings)
        has_retry = metadata.HasField("retry_options")
        retry = policy_from_message(metadata.retry_options) if has_retry else None
        return LoadedFunction(metadata.name, metadata.function_id, bindings, retry)

    async def _ask(self, kind: str, request: Protos) -> Protos:
        """Call the worker's function for a kind of request."""
        return await getattr(self._package, kind)(self._message(**{kind: request}))

    def _message(self, **content: Protos) -> SimpleNamespace:
        """Wrap a request as the workers' proxy does."""
        return SimpleNamespace(
            request=self._protos.StreamingMessage(request_id=str(uuid.uuid4()), **content),
            properties={"protos": self._protos, "host": "127.0.0.1"},
        )

    def _check(self, result: Protos, problem: str) -> None:
        if result.status == self._protos.StatusResult.Success:
            return
        trace = app_traceback(result.exception.stack_trace, self._app.directory)
        raise HostError(f"{problem}:\n\n{trace or result.exception.message}")


def check_python() -> None:
    """
    Check that there can be a library worker for this Python.

    Raises:
        HostError: Python is too old.
    """
    if sys.version_info < MINIMUM_PYTHON:
        running = ".".join(map(str, sys.version_info[:3]))
        needed = ".".join(map(str, MINIMUM_PYTHON))
        raise HostError(
            f"this is Python {running}, and Microsoft's library workers need {needed} or later: "
            "install funcscope[host] for such a Python and use its `funcscope` command"
        )


def _enter_app(app: FunctionApp) -> None:
    """Make this process look to the app like the worker's process does."""
    directory = str(app.directory)
    os.environ.setdefault("AzureWebJobsScriptRoot", directory)
    os.environ.setdefault("FUNCTIONS_WORKER_RUNTIME", "python")
    os.environ.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
    packages = app.directory / ".python_packages" / "lib" / "site-packages"
    for path in (str(packages), directory):
        if path not in sys.path:
            sys.path.insert(0, path)
    os.chdir(directory)


def _metadata_of(file: FunctionFile, protos: Protos) -> Protos:
    """Describe a v1 function as the host does to a worker that leaves indexing to it."""
    return protos.RpcFunctionMetadata(
        name=file.name,
        function_id=str(uuid.uuid5(uuid.NAMESPACE_OID, file.name)),
        directory=str(file.directory),
        script_file=str(file.script),
        entry_point=file.entry_point,
        language="python",
        bindings={
            str(binding["name"]): protos.BindingInfo(
                type=binding["type"],
                direction=str(binding["direction"]).lower(),
                data_type=str(binding.get("dataType", "undefined")).lower(),
            )
            for binding in file.bindings
        },
        raw_bindings=[json.dumps(binding) for binding in file.bindings],
        retry_options=None if file.retry is None else file.retry.message(protos),
    )
