"""
Driving one of Microsoft's library workers, wherever it runs.

The order of messages is the one of the worker's own proxy: `worker_init_request`,
`functions_metadata_request`, `function_load_request` for each function, and `invocation_request`.
Source: `handle_event.py` of azure-functions-runtime 1.3.0 and azure-functions-runtime-v1 1.2.0.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from funcscope.contrib._local.app import is_trigger
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._retry_policy import hint_of, policy_from_message
from funcscope.contrib.host._worker.protocol import TypedData, function_rpc
from funcscope.contrib.host._worker.tracebacks import app_traceback

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from funcscope.contrib._local.app import BindingDict
    from funcscope.contrib.host._app import FunctionApp, FunctionFile
    from funcscope.contrib.host._retry_policy import RetryPolicy, RetryState
    from funcscope.contrib.host._worker.protocol import Protos

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


class WorkerGoneError(HostError):
    """What was asked of a worker is not answered, as there is no worker any more."""


class AppWorker:
    """
    A worker that runs one app.

    Attributes:
        http_uri: Where the worker itself serves an app that uses HTTP streams; None otherwise.
        problems: What is wrong with functions that are left out, for people.
    """

    def __init__(self, app: FunctionApp) -> None:
        self._app = app
        self._protos = function_rpc()
        self.http_uri: str | None = None
        self.problems: list[str] = []

    async def start(self) -> tuple[LoadedFunction, ...]:
        """
        Import the app and load its functions, but for those that cannot be loaded.

        Raises:
            HostError: The app cannot be imported or indexed, or none of its functions be loaded;
                the message has the traceback.
        """
        await self._initialize()
        return await self._load_all(self._select(await self._index()))

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
        try:
            response = await self._ask("invocation_request", request)
        except WorkerGoneError as error:
            return Outcome(is_ok=False, value=None, outputs={}, error=str(error), stack_trace="")
        return Outcome(
            is_ok=response.result.status == protos.StatusResult.Success,
            value=response.return_value if response.HasField("return_value") else None,
            outputs={output.name: output.data for output in response.output_data},
            error=response.result.exception.message,
            stack_trace=response.result.exception.stack_trace,
        )

    async def _initialize(self) -> None:
        request = self._protos.WorkerInitRequest(
            host_version="4.0.0", function_app_directory=str(self._app.directory)
        )
        response = await self._ask("worker_init_request", request)
        self._refuse_exit(response.result.exception)
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

    def _select(self, indexed: list[Protos]) -> list[Protos]:
        """Return the functions to load; HostError names those that are not there."""
        return indexed

    async def _load_all(self, indexed: Iterable[Protos]) -> tuple[LoadedFunction, ...]:
        """Load functions; as with the host, one that cannot be loaded keeps no other from it."""
        functions: list[LoadedFunction] = []
        self.problems = []
        for metadata in indexed:
            try:
                functions.append(await self._load(metadata))
            except HostError as error:
                self.problems.append(str(error))
        if self.problems and not functions:
            raise HostError("\n\n".join(self.problems))
        return tuple(functions)

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
        """Send a request, whose kind names its field in a `StreamingMessage`, to the worker."""
        raise NotImplementedError

    def _message(self, kind: str, request: Protos) -> Protos:
        return self._protos.StreamingMessage(request_id=str(uuid.uuid4()), **{kind: request})

    def _refuse_exit(self, exception: Protos) -> None:
        if exception.type == "SystemExit":
            raise HostError(
                f"the app in {self._app.directory} ended the process while it was imported "
                f"({exception.message}): it must not call sys.exit()"
            )

    def _check(self, result: Protos, problem: str) -> None:
        if result.status == self._protos.StatusResult.Success:
            return
        trace = app_traceback(result.exception.stack_trace, self._app.directory)
        hint = hint_of(result.exception.stack_trace)
        said = [trace or result.exception.message, *([hint] if hint else [])]
        raise HostError("\n\n".join([f"{problem}:", *said]))


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
