"""
Call what funcscope puts in another's place, with other people's wrappers under and over it.

    python patches_beside.py

It is run as a program. For each patch and each way of wrapping, a process of its own calls what is
patched in the ways that it can be called, with funcscope and without; what came of it is written to
stdout, with how often each wrapper was called.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.pool import ThreadPool
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import wrapt

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

WORKER = "azure_functions_runtime"
WAYS = (
    "bare",
    "plain under",
    "wrapt under",
    "plain over",
    "wrapt over",
    "named over",
    "wrapt over, taken off",
    "named over, taken off",
    "plain under, taken off",
)
"""Where another's wrapper is. A `named` one is plain, and has the name and fields of what it wraps,
as `functools.wraps` gives them."""


class Use(NamedTuple):
    """
    A patch, and how to try it.

    Attributes:
        owner: Returns whose attribute is patched.
        name: The attribute.
        install: Has funcscope put itself there; called more than once, it changes nothing.
        call: Calls what is there in all ways that there are, and returns what came of it.
    """

    owner: Callable[[], Any]
    name: str
    install: Callable[[Any], object]
    call: Callable[[Any], object]


def start(_: object) -> object:
    """Start threads."""
    seen: list[object] = []
    threads = [threading.Thread(target=seen.append, args=(at,)) for at in range(3)]
    threads[0].start()
    threading.Thread.start(threads[1])
    threading.Thread.start(self=threads[2])
    for thread in threads:
        thread.join()
    return sorted(seen, key=str)


def start_timer(_: object) -> object:
    """Start a timer."""
    seen: list[object] = []
    timer = threading.Timer(0, seen.append, [1])
    timer.start()
    timer.join()
    return seen


def submit(_: object) -> object:
    """Submit to a pool."""
    with ThreadPoolExecutor(1) as pool:
        return [
            pool.submit(pow, 2, exp=3).result(),
            ThreadPoolExecutor.submit(pool, pow, 2, 3).result(),
            pool.submit(dict, fn=1, self=2).result(),
        ]


def add_done_callback(_: object) -> object:
    """Add callbacks."""
    seen: list[object] = []
    future: Future[int] = Future()
    future.add_done_callback(lambda f: seen.append(("position", f.result())))
    future.add_done_callback(fn=lambda f: seen.append(("name", f.result())))
    Future.add_done_callback(future, lambda f: seen.append(("class", f.result())))
    future.set_result(5)
    future.add_done_callback(lambda f: seen.append(("late", f.result())))
    return seen


def call_pool(name: str) -> Callable[[object], object]:
    """Make what calls a method of a pool's."""
    takes_tuples, is_lazy = name.startswith("starmap"), name.startswith("imap")

    def call(_: object) -> object:
        items = [(-1,), (-2,)] if takes_tuples else [-1, -2]
        pool, method = _pool(), getattr(ThreadPool, name)
        found = [
            getattr(pool, name)(abs, items),
            getattr(pool, name)(func=abs, iterable=iter(items), chunksize=1),
            method(pool, abs, items, 1),
        ]
        if is_lazy:
            return [list(each) for each in found]
        return [each.get() if name.endswith("async") else each for each in found]

    return call


@functools.cache
def _pool() -> ThreadPool:
    """Make a pool of one thread, which lasts: ending one takes a tenth of a second."""
    return ThreadPool(1)


def apply_async(_: object) -> object:
    """Call by a pool, and be called back."""
    seen: list[object] = []
    pool, told = _pool(), threading.Event()

    def tell(got: object) -> None:
        seen.append(got)
        told.set()

    found = [
        pool.apply_async(pow, (2,), {"exp": 3}).get(),
        pool.apply_async(func=abs, args=(-1,), callback=tell).get(),
        ThreadPool.apply_async(pool, abs, [-4]).get(),
        pool.apply(abs, (-5,)),
    ]
    told.wait(60)
    return found, seen


def log_record() -> logging.LogRecord:
    """Make a record."""
    return logging.LogRecord("app", logging.INFO, __file__, 1, "said %s", ("a",), None)


def call_logger(name: str, argument: str, make: Callable[[], object]) -> Callable[[object], object]:
    """Make what calls a method of a logger's, and logs."""

    def call(_: object) -> object:
        seen: list[object] = []
        handler = logging.Handler()
        handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("app")
        logger.handlers, logger.propagate = [handler], True
        logger.setLevel(logging.INFO)
        method = getattr(logger, name)
        found = [
            method(make()),
            method(**{argument: make()}),
            getattr(logging.Logger, name)(logger, make()),
        ]
        logger.info("said %s", "b")
        logger.debug("not said")
        return [repr(bool(each)) for each in found], seen

    return call


def export_logs(_: object, buffer: int = 0) -> None:
    """Have records exported, and taken no more, and exported again."""
    from opentelemetry.sdk._logs import LoggerProvider

    from funcscope.telemetry._config.log_levels import LogLevels
    from funcscope.telemetry._logs.capture import LogCapture

    for _ in range(2):
        export = LogCapture(LoggerProvider(), LogLevels(logging.INFO), buffer)
        export.start()
        export.stop()
    export.start()


def buffer_logs(owner: object) -> None:
    """Do so, and have records of DEBUG kept."""
    export_logs(owner, 4)


def redact_stream(_: object) -> None:
    """Have the stream redacted, and left, and redacted again."""
    from funcscope.telemetry._logs.stream import leave_stream, redact_stream

    redact_stream()
    leave_stream()
    redact_stream()


def propagate(_: object) -> None:
    """Have invocations carried."""
    from funcscope.extensions import propagate

    propagate()
    propagate()


def add_fields(_: object) -> None:
    """Have records given fields."""
    from funcscope.telemetry._logs.correlation import add_record_fields

    add_record_fields()
    add_record_fields()


def hook_worker(_: object) -> None:
    """Hook the workers and what hands functions over."""
    from funcscope.extensions import install

    install()
    install()


def keep_contexts(_: object) -> None:
    """Have the worker's contexts kept."""
    from funcscope.extensions import Binding, Function
    from funcscope.extensions._workers import library as _library
    from funcscope.extensions._workers.contexts import ContextCache

    binding = Binding("context", "orchestrationTrigger", "in", {})
    function = Function("hello", "/", is_async=False, qualified_name="", bindings=(binding,))
    kept = ContextCache(lambda contexts: _library._store_contexts(WORKER, contexts))
    kept.watch(function, has_context_binding=True)
    kept.watch(function, has_context_binding=True)


def watch_web(_: object) -> None:
    """Have the routes of web frameworks found, and their spans joined."""
    from funcscope.contrib.web import install

    install()
    install()


def hook_durable(_: object) -> None:
    """Hook the SDK of Durable Functions."""
    from funcscope.contrib.durable._install import install

    install()
    install()


def redact_metrics(exporter: Any) -> None:
    """Have an exporter get measurements without secrets."""
    from funcscope.telemetry._metrics.redaction import redact_metrics
    from funcscope.telemetry._redaction.redactor import DEFAULT

    redact_metrics(exporter, DEFAULT)


def part(path: str) -> Callable[[], Any]:
    """Return what finds an owner: `module:Class`."""

    def find() -> Any:
        module, _, name = path.partition(":")
        found = import_module(module)
        return getattr(found, name) if name else found

    return find


def register_function(registry: Any) -> object:
    """Register functions with a worker."""
    functions = part(f"{WORKER}.functions")()
    call: dict[str, object] = {
        "function": lambda req: req,
        "function_name": "hello",
        "function_id": "id-hello",
        "directory": "/app",
        "requires_context": False,
        "has_explicit_return": True,
        "has_implicit_return": False,
        "deferred_bindings_enabled": False,
        "settlement_client_arg": None,
        "input_types": {"req": functions.ParamTypeInfo("httpTrigger", None)},
        "output_types": {},
        "return_type": None,
    }
    add = registry.add_func_to_registry_and_return_funcinfo
    made = registry()
    made.add_func_to_registry_and_return_funcinfo(**call)
    return [
        made.get_function("id-hello").name,
        made.add_func_to_registry_and_return_funcinfo(*call.values()).name,
        add(registry(), *call.values()).name,
    ]


def declared() -> Any:
    """Declare an app with a function."""
    import azure.functions as func

    app = func.FunctionApp()
    app.route("hello")(hello)
    return app


def hello(req: Any) -> str:
    """Greet."""
    return f"hello {req}"


def index_function(registry: Any) -> object:
    """Index a declared function."""
    (function,) = declared().get_functions()
    protos = SimpleNamespace(
        BindingInfo=lambda **given: given,
        RpcFunctionMetadata=lambda **given: given,
    )
    found = []
    ways: list[Callable[[Any], Any]] = [
        lambda made: made.add_indexed_function(function, protos),
        lambda made: made.add_indexed_function(function=function, protos=protos),
        lambda made: registry.add_indexed_function(made, function, protos),
    ]
    for call in ways:
        try:
            found.append(call(registry()).name)
        except Exception as error:  # the same with us and without
            found.append(repr(error))
    return found


def get_functions(kind: Any) -> object:
    """Ask an app for its functions."""
    app = declared()
    names = [f.get_function_name() for f in kind.get_functions(app)]
    return names, [f.get_user_function()("x") for f in declared().get_functions()]


def get_context(module: Any) -> object:
    """Make contexts."""
    request = SimpleNamespace(
        invocation_id="1",
        trace_context=SimpleNamespace(trace_parent="p", trace_state="s", attributes={}),
        retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
    )
    return [
        module.get_context(request, "hello", "/").invocation_id,
        module.get_context(invoc_request=request, name="hello", directory="/").invocation_id,
    ]


def decode_inputs(module: Any) -> object:
    """Decode what a function gets."""
    info = SimpleNamespace(input_types={})
    return [
        module._decode_inputs(info, [], None),
        module._decode_inputs(fi=info, inputs=[], trigger_metadata={}),
    ]


def serve_asgi(response: Any) -> object:
    """Have an ASGI app answer."""

    async def app(scope: Any, _: Any, send: Any) -> None:
        start = {"type": "http.response.start", "status": 202, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    scope = {"type": "http", "path": "/x"}
    made = [
        response.from_app(app, scope, b""),
        response.from_app(app=app, scope=scope, body=b""),
    ]
    return [asyncio.run(each).to_func_response().get_body().decode() for each in made]


def serve_wsgi(response: Any) -> object:
    """Have a WSGI app answer."""

    def app(environ: Any, start: Any) -> list[bytes]:
        start("202 Accepted", [])
        return [environ["PATH_INFO"].encode()]

    made = [
        response.from_app(app, {"PATH_INFO": "/x"}),
        response.from_app(app=app, environ={"PATH_INFO": "/y"}),
    ]
    return [each.to_func_response().get_body().decode() for each in made]


def start_span(module: Any) -> object:
    """Start a server's span."""
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider().get_tracer("x")
    call = module._start_internal_or_server_span
    from opentelemetry.propagators.textmap import default_getter

    span, _ = call(tracer, "by position", None, {}, default_getter)
    given: dict[str, Any] = {
        "start_time": None,
        "context_carrier": {},
        "context_getter": default_getter,
    }
    named, _ = call(tracer=tracer, span_name="by name", attributes={"a": 1}, **given)
    return [span.name, named.name]


def record_fastapi(_: object) -> object:
    """Have FastAPI serve a request, within an invocation and without."""
    from fastapi import FastAPI
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    from funcscope.contrib.web._served import serving

    trace.set_tracer_provider(TracerProvider())
    app, sent = FastAPI(), list[Any]()
    app.get("/x")(lambda: "x")

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b"").decode())

    scope = {
        "type": "http", "method": "GET", "path": "/x", "raw_path": b"/x", "query_string": b"",
        "headers": [], "http_version": "1.1", "scheme": "http", "server": ("h", 80),
    }  # fmt: skip
    with serving(lambda: None):
        asyncio.run(app(dict(scope), receive, send))
    asyncio.run(app(dict(scope), receive, send))
    return sent


def make_orchestration(kind: Any) -> object:
    """Make an orchestrator's contexts."""
    started = {
        "EventType": 12,
        "EventId": -1,
        "IsPlayed": False,
        "Timestamp": "2026-01-01T00:00:00Z",
    }
    text = json.dumps({
        "history": [started], "instanceId": "i", "isReplaying": False, "parentInstanceId": "p",
    })  # fmt: skip
    return [kind.from_json(text).instance_id, kind.from_json(json_string=text).instance_id]


def make_entity_context(kind: Any) -> object:
    """Make an entity's contexts."""
    text = json.dumps(
        {"self": {"name": "n", "key": "k"}, "exists": False, "state": None, "batch": []}
    )
    return [kind.from_json(text)[0].entity_name, kind.from_json(json_str=text)[0].entity_key]


def make_entity(kind: Any) -> object:
    """Make entities."""
    return [kind(len).fn("abc"), kind(entity_func=len).fn("ab")]


def metric_exporter() -> Any:
    """Make an exporter of metrics."""
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

    return ConsoleMetricExporter(out=open(os.devnull, "w"))  # noqa: PTH123


def export_metrics(exporter: Any) -> object:
    """Export nothing."""
    from opentelemetry.sdk.metrics.export import MetricsData

    data = MetricsData([])
    return [
        exporter.export(data).name,
        exporter.export(metrics_data=data, timeout_millis=5).name,
        exporter.export(data, 5).name,
    ]


POOL = "multiprocessing.pool:ThreadPool"
LOGGER = "logging:Logger"
USES: dict[str, Use] = {
    "threading.Thread.start": Use(part("threading:Thread"), "start", propagate, start),
    "threading.Timer.start": Use(part("threading:Timer"), "start", propagate, start_timer),
    "ThreadPoolExecutor.submit": Use(
        part("concurrent.futures:ThreadPoolExecutor"), "submit", propagate, submit
    ),
    "Future.add_done_callback": Use(
        part("concurrent.futures:Future"), "add_done_callback", propagate, add_done_callback
    ),
    "ThreadPool.apply_async": Use(part(POOL), "apply_async", propagate, apply_async),
    **{
        f"ThreadPool.{name}": Use(part(POOL), name, propagate, call_pool(name))
        for name in ("map", "map_async", "starmap", "starmap_async", "imap", "imap_unordered")
    },
    "Logger.filter": Use(
        part(LOGGER), "filter", add_fields, call_logger("filter", "record", log_record)
    ),
    "Logger.callHandlers, export": Use(
        part(LOGGER), "callHandlers", export_logs, call_logger("callHandlers", "record", log_record)
    ),
    "Logger.callHandlers, stream": Use(
        part(LOGGER),
        "callHandlers",
        redact_stream,
        call_logger("callHandlers", "record", log_record),
    ),
    "Logger.isEnabledFor": Use(
        part(LOGGER),
        "isEnabledFor",
        buffer_logs,
        call_logger("isEnabledFor", "level", lambda: logging.INFO),
    ),
    "Logger.callHandlers, buffer": Use(
        part(LOGGER), "callHandlers", buffer_logs, call_logger("callHandlers", "record", log_record)
    ),
    "MetricExporter.export": Use(metric_exporter, "export", redact_metrics, export_metrics),
    "Registry.add_func_to_registry_and_return_funcinfo": Use(
        part(f"{WORKER}.functions:Registry"),
        "add_func_to_registry_and_return_funcinfo",
        hook_worker,
        register_function,
    ),
    "Registry.add_indexed_function": Use(
        part(f"{WORKER}.functions:Registry"), "add_indexed_function", hook_worker, index_function
    ),
    "FunctionRegister.get_functions": Use(
        part("azure.functions.decorators.function_app:FunctionRegister"),
        "get_functions",
        hook_worker,
        get_functions,
    ),
    "get_context": Use(
        part(f"{WORKER}.bindings.context"), "get_context", keep_contexts, get_context
    ),
    "_decode_inputs": Use(
        part(f"{WORKER}.native_invocation"), "_decode_inputs", keep_contexts, decode_inputs
    ),
    "AsgiResponse.from_app": Use(
        part("azure.functions._http_asgi:AsgiResponse"), "from_app", watch_web, serve_asgi
    ),
    "WsgiResponse.from_app": Use(
        part("azure.functions._http_wsgi:WsgiResponse"), "from_app", watch_web, serve_wsgi
    ),
    "NativeTelemetry.__call__": Use(
        part("fastapi.telemetry._asgi:NativeTelemetry"), "__call__", watch_web, record_fastapi
    ),
    "_start_internal_or_server_span": Use(
        part("opentelemetry.instrumentation.asgi"),
        "_start_internal_or_server_span",
        watch_web,
        start_span,
    ),
    "DurableOrchestrationContext.from_json": Use(
        part("azure.durable_functions:DurableOrchestrationContext"),
        "from_json",
        hook_durable,
        make_orchestration,
    ),
    "DurableEntityContext.from_json": Use(
        part("azure.durable_functions:DurableEntityContext"),
        "from_json",
        hook_durable,
        make_entity_context,
    ),
    "Entity.__init__": Use(
        part("azure.durable_functions:Entity"), "__init__", hook_durable, make_entity
    ),
}

IMPORTED = (
    "contrib.durable._install",
    "contrib.web",
    "telemetry._logs.capture",
    "telemetry._metrics.redaction",
    "telemetry._logs.stream",
)


class Wrapper:
    """Another's wrapper, which counts its calls, and can be taken off again."""

    def __init__(self, owner: Any, name: str, kind: str) -> None:
        self.count = 0
        self._owner, self._name = owner, name
        self._is_own = name in vars(owner)
        self._found = vars(owner).get(name)
        if kind == "wrapt":
            wrapt.wrap_function_wrapper(owner, name, self._called)
            return
        original = getattr(owner, name)

        def over(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return original(*args, **kwargs)

        if kind == "named":
            over = functools.wraps(original)(over)
        if isinstance(self._found, classmethod) or hasattr(self._found, "_self_binding"):
            bound = getattr(self._found, "_self_binding", "classmethod") == "classmethod"
            setattr(owner, name, staticmethod(over) if bound else over)
        else:
            setattr(owner, name, over)

    def _called(self, wrapped: Any, _: object, args: Any, kwargs: Any) -> Any:
        self.count += 1
        return wrapped(*args, **kwargs)

    def take_off(self) -> None:
        """Put back what was found."""
        if self._is_own:
            setattr(self._owner, self._name, self._found)
        else:
            delattr(self._owner, self._name)


def run(use: Use, way: str, *, with_us: bool) -> object:
    """Wrap, patch and call; return what came of it, and how often the wrapper was called."""
    from funcscope.extensions import Function, Invocation
    from funcscope.extensions._invocation import PartialContext, entered

    owner, (kind, _, where) = use.owner(), way.partition(" ")
    wrapper = Wrapper(owner, use.name, kind) if where.startswith("under") else None
    if with_us:
        use.install(owner)
    if where.startswith("over"):
        wrapper = Wrapper(owner, use.name, kind)
    if with_us and where == "over":
        use.install(owner)  # again, below what is there by now
    function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
    context = PartialContext("0f8e", "hello", "/app", threading.local())
    with entered(Invocation("0f8e", function, {}, context)):
        with Watch() as watch:
            found = [use.call(owner)]
        if where.endswith("taken off") and wrapper is not None:
            wrapper.take_off()
            if with_us:
                use.install(owner)
            found.append(use.call(owner))
    return {"found": found, "calls": wrapper and wrapper.count, "ours": sorted(watch.ours)}


class Watch:
    """Sees which functions of funcscope's run in a block, on whatever thread."""

    def __init__(self) -> None:
        self.ours: set[str] = set()

    def __enter__(self) -> Self:
        threading.setprofile(self._see)
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _see(self, frame: Any, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        is_ours = "/funcscope/" in path and not path.endswith("_place.py")
        if event == "call" and is_ours and frame.f_code.co_qualname != "look":
            self.ours.add(f"{path.rpartition('/')[2]} {frame.f_code.co_qualname}")


def run_apart(use: Use, way: str, *, with_us: bool) -> object:
    """Do so in a child process."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        signal.alarm(60)
        try:
            told = json.dumps(run(use, way, with_us=with_us), default=repr)
        except BaseException:  # told to the parent
            told = json.dumps(traceback.format_exc())
        with os.fdopen(writing, "w") as stream:
            stream.write(told)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        told = stream.read()
    os.wait()
    return json.loads(told) if told else "nothing"


def main(names: list[str]) -> None:
    """Try each patch in each way, with us and without."""
    if find_spec("fastapi.telemetry") is None:
        del USES["NativeTelemetry.__call__"]  # a FastAPI that makes no spans of its own
    for use in USES.values():
        use.owner()  # imported once, as is what patches nothing by that
    for name in IMPORTED:
        import_module(f"funcscope.{name}")
    logging.getLogger().setLevel(logging.INFO)
    gc.freeze()  # what is collected in a child is copied first
    told = {}
    for name in names or USES:
        use = USES[name]
        told[name] = {way: run_apart(use, way, with_us=True) for way in WAYS}
        told[name]["without us"] = run_apart(use, WAYS[1], with_us=False)
    print(json.dumps(told))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1:])
