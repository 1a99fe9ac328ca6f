"""
Run an app on a worker in this process, as its host would.

The job comes as JSON on standard input, the outcomes go as JSON to the file that it names:
standard output is the app's. Run in a process of its own for each app, as workers keep their
functions in module variables.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib
import importlib.abc
import json
import logging
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from importlib.util import spec_from_loader
from pathlib import Path
from traceback import format_exception
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

from funcscope.contrib.host import LibraryWorker, find_app, function_rpc, trigger_data

if TYPE_CHECKING:
    from contextvars import ContextVar
    from importlib.machinery import ModuleSpec
    from types import ModuleType

Call = dict[str, Any]  # JSON
Outcome = dict[str, Any]
Row = tuple[str, str | None]  # a message, and the invocation that it is sent with
CLASSIC = Path(__file__).parent.parent / "classic"
PROXY = Path(__file__).parent.parent / "proxy"
R2P2_BRIDGE = Path(__file__).parent.parent / "r2p2"


class Session(Protocol):
    """A worker that runs an app."""

    functions: dict[str, Any]

    async def start(self) -> None:
        """Load the app."""

    async def invoke(self, name: str, call: Call) -> Outcome:
        """Call a function."""

    @property
    def pool(self) -> Executor:
        """The threads that sync functions run on."""

    def stop(self) -> None:
        """Stop these threads."""

    def open_stream(self) -> None:
        """Send what is logged to the host, as the worker does."""

    def streamed(self) -> list[Row]:
        """Return what was sent."""


class HostStream(logging.Handler):
    """
    Finds the invocation of each record where the library workers' proxy does.

    It runs on the thread that logs. After these two places the proxy asks a registry by thread,
    and a thread-local, which only it can fill (`get_current_invocation_id` in
    `workers/proxy_worker/dispatcher.py`).
    """

    def __init__(self, variable: ContextVar[str | None]) -> None:
        super().__init__()
        self.variable = variable
        self.rows: list[Row] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.rows.append((record.getMessage(), self.found()))

    def found(self) -> str | None:
        loop = asyncio._get_running_loop()
        task = asyncio.current_task(loop) if loop is not None else None
        of_task: str | None = getattr(task, "__azure_function_invocation_id__", None)
        return of_task if of_task is not None else self.variable.get()


class Protobuf:
    """A library worker, dispatched in the FunctionRpc protocol's messages."""

    def __init__(self, app: Any) -> None:
        self.worker = LibraryWorker.for_app(app)
        name = "azure_functions_runtime" + ("_v1" if app.model == "v1" else "")
        self.package: Any = sys.modules[name]

    async def start(self) -> None:
        self.functions = {f.name: f for f in await self.worker.start()}

    async def invoke(self, name: str, call: Call) -> Outcome:
        function = self.functions[name]
        streamed = None
        if "stream" in call:
            streamed = asyncio.create_task(asyncio.to_thread(self.forward, call))
        outcome = await self.worker.invoke(
            function,
            {str(function.trigger["name"]): typed_data(function, call)},
            invocation_id=call["id"],
            trace_parent=call["trace_parent"],
            trace_state=call.get("trace_state", ""),
            metadata={name: proto(sent) for name, sent in metadata(call).items()},
        )
        body = await streamed if streamed is not None else None
        return {
            "ok": outcome.is_ok,
            "status": int(outcome.value.http.status_code or 200) if outcome.value else None,
            "error": outcome.error,
            "stack": outcome.stack_trace,
            "value": (outcome.value.json or outcome.value.string) if outcome.value else "",
            **({} if body is None else {"body": body}),
        }

    def forward(self, call: Call) -> str:
        """
        Forward a request to the worker's own server, once it listens, as its host does.

        A call's `send` is the body, in chunks; with `read` it reads so many bytes and goes away.
        """
        address = f"{self.worker.http_uri}{call['stream']}"
        chunks = [chunk.encode() for chunk in call.get("send", [])]
        request = urllib.request.Request(
            address,
            data=iter(chunks) if chunks else None,
            headers={"x-ms-invocation-id": call["id"], **call.get("headers", {})},
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    return str(response.read(call.get("read")).decode())
            except http.client.IncompleteRead as error:
                return str(error.partial.decode())
            except urllib.error.HTTPError as error:
                return str(error.read().decode())
            except urllib.error.URLError as error:
                refused = isinstance(error.reason, ConnectionRefusedError)
                if not refused or time.monotonic() > deadline:
                    raise

    @property
    def pool(self) -> Executor:
        executor: Executor = self.package.get_threadpool_executor()
        return executor

    def stop(self) -> None:
        self.worker.stop()

    def open_stream(self) -> None:
        self.stream = HostStream(self.package.invocation_id_cv)
        logging.getLogger().addHandler(self.stream)

    def streamed(self) -> list[Row]:
        return self.stream.rows


class Proxied(Protobuf):
    """The same within the stand-in for the workers' proxy, which has a task for each request."""

    async def start(self) -> None:
        sys.path.insert(0, str(PROXY))
        self.proxy: Any = importlib.import_module("proxy_worker.dispatcher")
        sys.path.remove(str(PROXY))
        self.proxy.reload_library_worker(self.package)
        asyncio.get_running_loop().set_task_factory(
            lambda loop, coro, **kwargs: self.proxy.ContextEnabledTask(coro, loop=loop, **kwargs)
        )
        await super().start()

    async def invoke(self, name: str, call: Call) -> Outcome:
        return await asyncio.create_task(self.dispatch(name, call))

    async def dispatch(self, name: str, call: Call) -> Outcome:
        """Answer one request."""
        self.proxy.enter_invocation(call["id"])
        return await super().invoke(name, call)

    def open_stream(self) -> None:
        self.stream = self.proxy.AsyncLoggingHandler()
        logging.getLogger().addHandler(self.stream)


class Specialised(Protobuf):
    """
    A library worker that was started as a placeholder, before it was known what app it would run.

    It is told so with `function_environment_reload_request`, which clears the environment and
    fills it again; here twice, with the app imported again the second time.
    """

    async def start(self) -> None:
        worker: Any = self.worker
        protos, settings = function_rpc(), dict(os.environ)
        self.package.start_threadpool_executor()
        empty = protos.WorkerInitRequest(function_app_directory=tempfile.mkdtemp())
        await worker._ask("worker_init_request", empty)
        sys.path.insert(0, str(worker._app.directory))
        for _ in range(2):
            sys.modules.pop("function_app", None)
            os.environ.clear()
            request = protos.FunctionEnvironmentReloadRequest(
                environment_variables={**settings, "AzureWebJobsScriptRoot": str(Path.cwd())},
                function_app_directory=str(worker._app.directory),
            )
            response = await worker._ask("function_environment_reload_request", request)
            worker._check(response.result, "the app cannot be specialised")
        self.functions = {m.name: await worker._load(m) for m in await worker._index()}


def typed_data(function: Any, call: Call) -> Any:
    """Make the trigger's value: an HTTP request, or what the host makes of an input."""
    protos = function_rpc()
    if "model_binding_data" in call:
        content = json.dumps(call["model_binding_data"]).encode()
        data = protos.ModelBindingData(
            version="1.0",
            source="AzureStorageBlobs",
            content_type="application/json",
            content=content,
        )
        return protos.TypedData(model_binding_data=data)
    if "event" in call:
        return proto(call["event"]["data"])
    if "url" not in call:
        return trigger_data(call["input"], function.trigger).value
    return protos.TypedData(
        http=protos.RpcHttp(
            method=call.get("method", "GET"),
            url=call["url"],
            headers=call.get("headers", {}),
            params=call.get("params", {}),
            body=protos.TypedData(bytes=b""),
        )
    )


def metadata(call: Call) -> dict[str, dict[str, Any]]:
    """Return the trigger's metadata of a call with a payload of tests/events."""
    found: dict[str, dict[str, Any]] = call.get("event", {}).get("metadata", {})
    return found


def proto(sent: dict[str, Any]) -> Any:
    """Make protobuf of a value in tests/events, which names its kind: `{"json": [1]}`."""
    protos = function_rpc()
    ((kind, value),) = sent.items()
    if kind == "json":
        value = json.dumps(value)
    elif kind == "bytes":
        value = value.encode()
    elif kind == "collection_string":
        value = protos.CollectionString(string=value)
    elif kind == "collection_sint64":
        value = protos.CollectionSInt64(sint64=value)
    return protos.TypedData(**{kind: value})


def native(make: Any, sent: dict[str, Any]) -> Any:
    """Make the same of it for the paths without protobuf, as azure.functions reads it there."""
    ((kind, value),) = sent.items()
    if kind == "json":
        return make(json.dumps(value), kind)
    if kind.startswith("collection_"):
        return make(SimpleNamespace(**{kind.removeprefix("collection_"): value}), kind)
    return make(value.encode() if kind == "bytes" else value, kind)


class Native(Protobuf):
    """A library worker, dispatched without protobuf through the event loop."""

    async def invoke(self, name: str, call: Call) -> Outcome:
        is_ok, value, _, error, stack = await self.entries.invocation_request_native(
            *self.arguments(name, call)
        )
        return native_outcome(is_ok, value, error, stack)

    @property
    def entries(self) -> Any:
        """The module of both native entries."""
        return importlib.import_module(f"{self.package.__name__}.native_invocation")

    def arguments(self, name: str, call: Call) -> tuple[Any, ...]:
        """Make the arguments that both native entries take."""
        function = self.functions[name]
        meta = importlib.import_module(f"{self.package.__name__}.bindings.datumdef")
        inputs = [(str(function.trigger["name"]), datum(meta.Datum, call))]
        context = (call["trace_parent"], call.get("trace_state", ""))
        sent = {name: native(meta.Datum, value) for name, value in metadata(call).items()}
        return call["id"], function.id, inputs, sent, *context


class NativeSync(Native):
    """The same, from a thread where the function is sync, as its host does."""

    dispatchers = ThreadPoolExecutor(64)  # the host's own, which wait for the worker's

    async def invoke(self, name: str, call: Call) -> Outcome:
        loop = asyncio.get_running_loop()
        is_handled, is_ok, value, _, error, stack = await loop.run_in_executor(
            self.dispatchers, self.entries.run_invocation_sync, *self.arguments(name, call)
        )
        if not is_handled:
            return await super().invoke(name, call)
        return native_outcome(is_ok, value, error, stack)


class R2P2(NativeSync):
    """The same within the stand-in for R2P2, on whose loop's thread the app is imported."""

    async def start(self) -> None:
        sys.path.insert(0, str(R2P2_BRIDGE))
        self.bridge: Any = importlib.import_module("bridge")
        sys.path.remove(str(R2P2_BRIDGE))
        self.bridge.configure(self.package)
        await asyncio.to_thread(self.bridge._run_coro, super().start())

    async def invoke(self, name: str, call: Call) -> Outcome:
        loop = asyncio.get_running_loop()
        is_ok, value, _, error, stack = await loop.run_in_executor(
            self.dispatchers, self.bridge.invoke_native, *self.arguments(name, call)
        )
        return native_outcome(is_ok, value, error, stack)

    def open_stream(self) -> None:
        self.stream = self.bridge._RpcLogHandler()
        logging.getLogger().addHandler(self.stream)

    def stop(self) -> None:
        self.bridge.shutdown()


def native_outcome(is_ok: bool, value: Any, error: str | None, stack: str | None) -> Outcome:
    """Say the same of a call as the other paths do."""
    is_response = getattr(value, "type", None) == "http"
    status = int(value.value["status_code"].value) if is_response else 200
    text = getattr(value, "value", "")
    return {
        "ok": is_ok,
        "status": status,
        "error": error or "",
        "stack": stack or "",
        "value": text if isinstance(text, str) else "",
    }


def datum(make: Any, call: Call) -> Any:
    """Make the trigger's value as the workers' converters read it."""
    if "event" in call:
        return native(make, call["event"]["data"])
    if "url" not in call:
        text = call["input"]
        return make(text, "string") if isinstance(text, str) else make(json.dumps(text), "json")
    headers = call.get("headers", {})
    return make(
        {
            "method": make(call.get("method", "GET"), "string"),
            "url": make(call["url"], "string"),
            "headers": {name: make(text, "string") for name, text in headers.items()},
            "query": {},
            "params": {n: make(text, "string") for n, text in call.get("params", {}).items()},
            "body": make(b"", "bytes"),
        },
        "http",
    )


class Classic:
    """The stand-in for the classic worker."""

    def __init__(self, app: Any) -> None:
        sys.path.insert(0, str(CLASSIC))
        self.app = app
        self.module: Any = importlib.import_module("azure_functions_worker.dispatcher")
        sys.path.remove(str(CLASSIC))

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.dispatcher = self.module.Dispatcher(loop)
        self.module.DispatcherMeta.__current_dispatcher__ = self.dispatcher
        loop.set_task_factory(
            lambda loop, coro, **kwargs: self.module.ContextEnabledTask(coro, loop=loop, **kwargs)
        )
        os.environ.setdefault("AzureWebJobsScriptRoot", str(self.app.directory))
        sys.path.insert(0, str(self.app.directory))
        request = SimpleNamespace(function_app_directory=str(self.app.directory))
        await self.dispatcher._handle__functions_metadata_request(request)
        self.functions = {}
        indexed = self.dispatcher._functions._functions.values()
        for metadata in [*map(indexed_metadata, indexed), *map(file_metadata, self.app.functions)]:
            load = SimpleNamespace(function_id=metadata.function_id, metadata=metadata)
            await self.dispatcher._handle__function_load_request(load)
            self.functions[metadata.name] = metadata

    async def invoke(self, name: str, call: Call) -> Outcome:
        info = self.dispatcher._functions.get_function(self.functions[name].function_id)
        trigger = next(iter(info.input_types))
        meta = importlib.import_module("azure.functions.meta")
        sent = {name: native(meta.Datum, value) for name, value in metadata(call).items()}
        request = SimpleNamespace(
            invocation_id=call["id"],
            function_id=info.function_id,
            input_data=[SimpleNamespace(name=trigger, data=datum(meta.Datum, call))],
            trigger_metadata=sent,
            trace_context=SimpleNamespace(
                trace_parent=call["trace_parent"],
                trace_state=call.get("trace_state", ""),
                attributes=call.get("trace_attributes", {}),
            ),
        )
        # A task of its own for each request, as the dispatcher makes one.
        done = await asyncio.create_task(self.dispatcher._handle__invocation_request(request))
        error = done.exception
        return {
            "ok": done.status == "Success",
            "status": getattr(done.return_value, "status_code", 200),
            "error": f"{type(error).__name__}: {error}" if error else "",
            "stack": "".join(format_exception(error)) if error else "",
            "value": self.encoded(info.input_types[trigger].binding_name, done.return_value),
        }

    def encoded(self, kind: str, value: Any) -> str:
        """Encode what a function of the Durable extension's returned, as the worker does."""
        if kind not in ("orchestrationTrigger", "activityTrigger", "entityTrigger"):
            return ""
        converters = importlib.import_module("azure.functions").get_binding_registry()
        return str(converters.get(kind).encode(value, expected_type=None).value)

    @property
    def pool(self) -> Executor:
        executor: Executor = self.dispatcher._sync_call_tp
        return executor

    def stop(self) -> None:
        self.dispatcher._sync_call_tp.shutdown()

    def open_stream(self) -> None:
        logging.getLogger().addHandler(self.module.AsyncLoggingHandler())

    def streamed(self) -> list[Row]:
        sent = self.dispatcher._grpc_resp_queue
        rows = [sent.get_nowait() for _ in range(sent.qsize())]
        return [(row.message, row.invocation_id) for row in rows]


def indexed_metadata(info: Any) -> Any:
    """Describe a v2 function to the worker as its host does."""
    return SimpleNamespace(
        name=info.name, function_id=info.function_id, directory=info.directory, bindings={}
    )


def file_metadata(file: Any) -> Any:
    """Describe a v1 function to the worker as its host does."""
    return SimpleNamespace(
        name=file.name,
        function_id=str(uuid.uuid5(uuid.NAMESPACE_OID, file.name)),
        directory=str(file.directory),
        script_file=str(file.script),
        entry_point=file.entry_point,
        bindings={
            str(b["name"]): SimpleNamespace(type=b["type"], direction=b["direction"])
            for b in file.bindings
        },
    )


async def run(job: dict[str, Any]) -> dict[str, Any]:
    """Start the worker, make the calls, and look at what they left behind."""
    if not job.get("keeps_opentelemetry"):
        forget_opentelemetry()
    for module in job.get("import_first", []):
        importlib.import_module(module)
    session: Session = SESSIONS[job["path"]](find_app(Path(job["app"]), os.environ))
    await session.start()
    answers: list[str] = []
    if "baggage" in job:
        watch_messages(session, job["baggage"], answers)
    if job.get("host_stream"):
        session.open_stream()
    invoke = partial(surviving, session)
    if job["concurrent"]:
        outcomes = list(await asyncio.gather(*map(invoke, job["calls"])))
    else:
        outcomes = [await invoke(c) for c in job["calls"]]
    outcomes += [await invoke(c) for c in job.get("afterwards", [])]
    played = [await play(invoke, orchestration) for orchestration in job.get("orchestrations", [])]
    leaks = await asyncio.gather(*(leaked(session.pool) for _ in range(50)))
    await asyncio.to_thread(shut_down)
    session.stop()
    return {
        "functions": sorted(session.functions),
        "outcomes": outcomes,
        "leaks": sorted({leak for leak in leaks if leak}),
        "host_stream": session.streamed() if job.get("host_stream") else [],
        "opentelemetry": opentelemetry_modules(),
        "played": played,
        "answers": answers,
    }


def watch_messages(session: Any, baggage: str, answers: list[str]) -> None:
    """
    Send baggage in each invocation's message, and keep what goes to the host, as the proxy does.

    It has fields that neither the worker nor its proxy know.
    """
    invocation_request, protos = session.package.invocation_request, function_rpc()

    async def proxied(asked: Any) -> Any:
        asked.request.invocation_request.trace_context.MergeFromString(bytes.fromhex(baggage))
        response = await invocation_request(asked)
        message = protos.StreamingMessage(request_id="1", invocation_response=response)
        answers.append(message.SerializeToString().hex())
        return response

    session.package.invocation_request = proxied


async def play(invoke: Any, orchestration: dict[str, Any]) -> dict[str, Any]:
    """Run an orchestration: what the host's Durable extension would do."""
    is_next = "durabletask" in sys.modules
    module = importlib.import_module("durable_backend" if is_next else "durable_extension")
    extension = module.DurableExtension
    functions, marks = orchestration.pop("functions"), orchestration.pop("marks_played", True)
    played: dict[str, Any] = await extension(invoke, functions, marks).play(**orchestration)
    return played


def opentelemetry_modules() -> list[str]:
    """Return the names of OpenTelemetry's loaded modules, and of protobuf's."""
    return sorted(n for n in sys.modules if n.startswith(("opentelemetry", "google.protobuf")))


def forget_opentelemetry() -> None:
    """Drop what our own host package has imported, so that what the app loads can be told."""
    dropped = {name: sys.modules.pop(name) for name in opentelemetry_modules()}
    once = {name: module for name, module in dropped.items() if name.startswith("google.")}
    sys.meta_path.insert(0, Once(once))


class Once(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives modules back to who imports them again: protobuf from 7.37 on loads but once."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self.modules = modules

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        return spec_from_loader(name, self) if name in self.modules else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: it was run."""


async def surviving(session: Session, call: Call) -> Outcome:
    """Call a function; what is no Exception leaves the worker, and must not end the driver."""
    try:
        return await session.invoke(call["function"], call)
    except (Exception, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        return {"ok": False, "error": repr(error), "stack": "".join(format_exception(error))}


async def leaked(pool: Executor) -> str:
    """Say what an invocation left on the loop or on one of the worker's threads."""
    thread = await asyncio.get_running_loop().run_in_executor(pool, left_here)
    return " ".join(filter(None, [left_here() and f"loop: {left_here()}", thread]))


def left_here() -> str:
    """Say which invocation or span is current where none should be."""
    from funcscope.extensions import current_invocation

    invocation, trace = current_invocation(), sys.modules.get("opentelemetry.trace")
    left = [invocation.id] if invocation else []
    if trace is not None and trace.get_current_span().get_span_context().is_valid:
        left.append(repr(trace.get_current_span()))
    return " ".join(left)


def shut_down() -> None:
    """Send what is left, as a host that stops its worker in good order would."""
    for name, get in (
        ("trace", "get_tracer_provider"),
        ("_logs", "get_logger_provider"),
        ("metrics", "get_meter_provider"),
    ):
        module = sys.modules.get(f"opentelemetry.{name}")
        if module and (shutdown := getattr(getattr(module, get)(), "shutdown", None)):
            shutdown()


SESSIONS: dict[str, Any] = {
    "protobuf": Protobuf,
    "proxied": Proxied,
    "specialised": Specialised,
    "native": Native,
    "native_sync": NativeSync,
    "r2p2": R2P2,
    "classic": Classic,
}

if __name__ == "__main__":
    job = json.load(sys.stdin)
    logging.getLogger().setLevel(logging.INFO)  # as in a deployed worker
    os.chdir(job["app"])
    result = asyncio.run(run(job))
    Path(job["result"]).write_text(json.dumps(result))
