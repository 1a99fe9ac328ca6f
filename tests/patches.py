"""
What funcscope puts in another's place in the process: functions of its own, and other things.

`tests/test_patches.py` finds each place in the source here, and
`tests/integration/test_patches_beside.py` calls each function that is replaced, with other people's
wrappers under and over it.
"""

# ruff: noqa: E501  (lines of the source, as they are)

from __future__ import annotations

from typing import NamedTuple


class Patch(NamedTuple):
    """
    A line of the source that puts something in another's place.

    Attributes:
        module: Where it is, below `funcscope`.
        text: What it says.
        uses: What of `tests/integration/patches_beside.py` tries it.
        why: Why nothing there does, and what does.
    """

    module: str
    text: str
    uses: tuple[str, ...] = ()
    why: str = ""


_NEXT = "of a package that is not beside the others: tests/integration/test_durable_next.py"

PATCHES = (
    Patch(
        "extensions/_decorated.py",
        "declared._func",
        why="a function that a decorator of ours is above: tests/telemetry/test_timing.py",
    ),
    Patch(
        "extensions/_lifecycle/registrations.py",
        "setattr(place, key[1], _copied(wanted[key]))",
        why="lists of what is registered, put back for tests alone: tests/contrib/testing",
    ),
    Patch(
        "extensions/_propagation/patches.py",
        "setattr(owner, name, wraps(original)(make(original)))",
        why="what `_replace` does, by each of its calls",
    ),
    Patch(
        "extensions/_propagation/patches.py",
        "_replace(ThreadPoolExecutor, 'submit', _submit)",
        uses=("ThreadPoolExecutor.submit",),
    ),
    Patch(
        "extensions/_propagation/patches.py",
        "_replace(Future, 'add_done_callback', _add_done_callback)",
        uses=("Future.add_done_callback",),
    ),
    Patch(
        "extensions/_propagation/patches.py",
        "_replace(module.ThreadPool, name, make)",
        uses=(
            "ThreadPool.apply_async",
            "ThreadPool.map",
            "ThreadPool.map_async",
            "ThreadPool.starmap",
            "ThreadPool.starmap_async",
            "ThreadPool.imap",
            "ThreadPool.imap_unordered",
        ),
    ),
    Patch(
        "extensions/_propagation/patches.py",
        "_replace(threading.Thread, 'start', _start)",
        uses=("threading.Thread.start",),
    ),
    Patch(
        "extensions/_propagation/patches.py",
        "_replace(threading.Timer, 'start', _start)",
        uses=("threading.Timer.start",),
    ),
    Patch(
        "extensions/_propagation/starts.py",
        "fields[BOOTSTRAP]",
        why="one thread's own, for as long as it starts: tests/integration/test_threads_beside.py",
    ),
    Patch(
        "extensions/_propagation/starts.py",
        "fields[_CONTEXT]",
        why="one thread's own context, where the app gave it none",
    ),
    Patch(
        "extensions/_workers/classic.py",
        "wrapt.wrap_function_wrapper(manager, _LOAD, load)",
        why="of the classic worker: tests/integration/test_classic.py",
    ),
    Patch(
        "extensions/_workers/classic.py",
        "wrapt.wrap_function_wrapper(manager, _SYNC, get_sync)",
        why="of the classic worker: tests/integration/test_classic.py",
    ),
    Patch(
        "extensions/_workers/classic.py",
        "wrapt.wrap_function_wrapper(manager, _ASYNC, get_async)",
        why="of the classic worker: tests/integration/test_classic.py",
    ),
    Patch(
        "extensions/_workers/classic.py",
        "wrapt.wrap_function_wrapper(dispatcher, f'Dispatcher.{_GET_CONTEXT}', contexts.store)",
        why="of the classic worker: tests/integration/test_classic.py",
    ),
    Patch(
        "extensions/_workers/fallback.py",
        "wrapt.wrap_function_wrapper('azure.functions.decorators.function_app', 'FunctionRegister.get_functions', self._get)",
        uses=("FunctionRegister.get_functions",),
    ),
    Patch(
        "extensions/_workers/fallback.py",
        "handed_over._func",
        why="of a copy that is handed over: tests/extensions/test_fallback.py",
    ),
    Patch(
        "extensions/_workers/ids.py",
        "wrapt.wrap_function_wrapper(dispatcher, _LOOK_UP, _current_id)",
        why="of the classic worker, and of the library workers' proxy: tests/integration",
    ),
    Patch(
        "extensions/_workers/ids.py",
        "setattr(module, name, storage)",
        why="a thread-local, and nothing that is called: tests/extensions/test_getters.py",
    ),
    Patch(
        "extensions/_workers/library.py",
        "wrapt.wrap_function_wrapper(sys.modules[name], 'invocation_request', exchange)",
        why="with another one over it: tests/integration/test_tags.py",
    ),
    Patch(
        "extensions/_workers/library.py",
        "wrapt.wrap_function_wrapper(module, 'get_context', contexts.store)",
        uses=("get_context",),
    ),
    Patch(
        "extensions/_workers/library.py",
        "wrapt.wrap_function_wrapper(native, '_decode_inputs', contexts.store_metadata)",
        uses=("_decode_inputs",),
    ),
    Patch(
        "extensions/_workers/library.py",
        "wrapt.wrap_function_wrapper(module, _STOP, _stop)",
        why="the last that a worker is told: tests/integration/test_r2p2.py",
    ),
    Patch(
        "extensions/_workers/seam.py",
        "wrapt.wrap_function_wrapper(functions, f'Registry.{_ADD}', self._add)",
        uses=("Registry.add_func_to_registry_and_return_funcinfo",),
    ),
    Patch(
        "extensions/_workers/seam.py",
        "wrapt.wrap_function_wrapper(functions, f'Registry.{_INDEX}', self._index)",
        uses=("Registry.add_indexed_function",),
    ),
    Patch(
        "extensions/_workers/seam.py",
        "_registered(functions)[info.function_id]",
        why="what a worker calls, once it has registered a function: tests/extensions/test_seam.py",
    ),
    Patch(
        "telemetry/_pipeline/shutdown.py",
        "signal.set_wakeup_fd(_NONE)",
        why="a signal's handler: tests/telemetry/delivery/test_exit.py",
    ),
    Patch(
        "telemetry/_pipeline/shutdown.py",
        "setattr(loop, 'add_signal_handler', self._on_add)",
        why="of one loop: tests/telemetry/delivery/test_exit.py",
    ),
    Patch(
        "telemetry/_pipeline/shutdown.py",
        "setattr(loop, 'remove_signal_handler', self._on_remove)",
        why="of one loop: tests/telemetry/delivery/test_exit.py",
    ),
    Patch(
        "telemetry/_pipeline/shutdown.py",
        "signal.set_wakeup_fd(descriptor)",
        why="a signal's handler: tests/telemetry/delivery/test_exit.py",
    ),
    Patch(
        "telemetry/_pipeline/shutdown.py",
        "signal.signal(signal.SIGTERM, self._previous)",
        why="a signal's handler: tests/telemetry/delivery/test_exit.py",
    ),
    Patch(
        "telemetry/_pipeline/shutdown.py",
        "signal.signal(number, signal.SIG_DFL)",
        why="a signal's handler: tests/telemetry/delivery/test_exit.py",
    ),
    Patch(
        "telemetry/_pipeline/shutdown.py",
        "signal.signal(signal.SIGTERM, self._handler)",
        why="a signal's handler: tests/telemetry/delivery/test_exit.py",
    ),
    Patch(
        "telemetry/_recording/instrumentations.py",
        "vars(instrumentor)['instrument']",
        why="for one call of the app's own: tests/telemetry/test_instrumentations.py",
    ),
    Patch(
        "telemetry/_recording/instrumentations.py",
        "settings.tracing_enabled",
        why="a setting of azure-core's, for all to set: tests/telemetry/test_instrumentations.py",
    ),
    Patch(
        "telemetry/_recording/instrumentations.py",
        "settings.tracing_implementation",
        why="a setting of azure-core's, for all to set: tests/services/test_services.py",
    ),
    Patch(
        "telemetry/_logs/buffer.py",
        "setattr(logging.Logger, 'isEnabledFor', is_enabled_for)",
        uses=("Logger.isEnabledFor",),
    ),
    Patch(
        "telemetry/_logs/capture.py",
        "Place(logging.Logger, 'callHandlers', _capturing)",
        uses=("Logger.callHandlers, export", "Logger.callHandlers, buffer"),
    ),
    Patch(
        "telemetry/_metrics/redaction.py",
        "setattr(exporter, method, exported)",
        uses=("MetricExporter.export",),
    ),
    Patch(
        "telemetry/_pipeline/metrics.py",
        "setattr(reader, 'shutdown', self.shutdown)",
        why="of a reader that we have made, or a plug-in for us: tests/telemetry/test_plugins.py",
    ),
    Patch(
        "telemetry/_place.py",
        "setattr(owner, name, self._own)",
        why="what a `Place` does, by each that is made",
    ),
    Patch(
        "telemetry/_place.py",
        "setattr(self._owner, self._name, self._original)",
        why="what a `Place` does, by each that is made",
    ),
    Patch(
        "telemetry/_logs/correlation.py",
        "setattr(logging.Logger, 'filter', _filtering(logging.Logger.filter))",
        uses=("Logger.filter",),
    ),
    Patch(
        "telemetry/_logs/processor.py",
        "every._log_record_processors",
        why="of a provider of somebody else's: tests/telemetry/test_late_handlers.py",
    ),
    Patch(
        "telemetry/_logs/stream.py",
        "Place(logging.Logger, 'callHandlers', _redacting)",
        uses=("Logger.callHandlers, stream",),
    ),
    Patch(
        "contrib/azuremonitor/_envelopes.py",
        "_complete_with(exporter, '_span_to_envelope', _complete_span)",
        why="of an exporter of ours, which nobody else has: tests/contrib/azuremonitor",
    ),
    Patch(
        "contrib/azuremonitor/_envelopes.py",
        "_complete_with(exporter, '_span_events_to_envelopes', complete_events)",
        why="of an exporter of ours, which nobody else has: tests/contrib/azuremonitor",
    ),
    Patch(
        "contrib/azuremonitor/_envelopes.py",
        "_complete_with(exporter, '_log_to_envelope', _name_operation)",
        why="of an exporter of ours, which nobody else has: tests/contrib/azuremonitor",
    ),
    Patch(
        "contrib/azuremonitor/_envelopes.py",
        "setattr(exporter, method, completed)",
        why="what `_complete_with` does, by each of its calls",
    ),
    Patch(
        "contrib/azuremonitor/_metrics.py",
        "exporter.export",
        why="of an exporter of ours, which nobody else has: tests/contrib/azuremonitor",
    ),
    Patch(
        "contrib/durable/_install.py",
        "wrapt.wrap_function_wrapper(part(context), 'from_json', _orchestration)",
        uses=("DurableOrchestrationContext.from_json",),
    ),
    Patch(
        "contrib/durable/_install.py",
        "wrapt.wrap_function_wrapper(part(entity_context), 'from_json', _entity)",
        uses=("DurableEntityContext.from_json",),
    ),
    Patch(
        "contrib/durable/_install.py",
        "wrapt.wrap_function_wrapper(part('Entity'), '__init__', _entity_function)",
        uses=("Entity.__init__",),
    ),
    Patch(
        "contrib/durable/_install.py",
        "entity.fn",
        why="the user's function of one entity: tests/contrib/durable",
    ),
    Patch(
        "contrib/durable/_durabletask.py",
        "wrapt.wrap_function_wrapper(context, '__init__', _orchestration)",
        why=_NEXT,
    ),
    Patch(
        "contrib/durable/_durabletask.py",
        "wrapt.wrap_function_wrapper(context, 'set_failed', _failed_orchestration)",
        why=_NEXT,
    ),
    Patch(
        "contrib/durable/_durabletask.py",
        "wrapt.wrap_function_wrapper(engine, '_execute_orchestrator', _episode)",
        why=_NEXT,
    ),
    Patch(
        "contrib/durable/_durabletask.py",
        "wrapt.wrap_function_wrapper(engine, '_execute_entity_batch', batch)",
        why=_NEXT,
    ),
    Patch(
        "contrib/durable/_durabletask.py",
        "wrapt.wrap_function_wrapper(tracing, 'set_span_error', _failed_operation)",
        why=_NEXT,
    ),
    Patch(
        "contrib/durable/_sdk.py",
        "executor.generator",
        why="a descriptor, and nothing that is called: tests/contrib/durable",
    ),
    Patch(
        "contrib/opencensus/_compatibility.py",
        "setattr(base, 'createLock', _give_lock)",
        why="of a package that is not beside the others: tests/contrib/opencensus",
    ),
    Patch(
        "contrib/opencensus/_compatibility.py",
        "setattr(handler, 'lock', _NoLock())",
        why="a lock where there was none: tests/contrib/opencensus",
    ),
    Patch(
        "contrib/opencensus/_compatibility.py",
        "setattr(NoopTracer, name, value)",
        why="attributes that were missing: tests/contrib/opencensus",
    ),
    Patch(
        "contrib/opencensus/_tracing.py",
        "setattr(invocation.context, 'tracer', tracer)",
        why="a field that Microsoft's contexts have for it: tests/contrib/opencensus",
    ),
    Patch(
        "contrib/web/_apps.py",
        "wrapt.wrap_function_wrapper(module_name, f'{kind}.from_app', serve)",
        uses=("AsgiResponse.from_app", "WsgiResponse.from_app"),
    ),
    Patch(
        "contrib/web/_fastapi.py",
        "setattr(kind, _CALL, _recording(getattr(kind, _CALL)))",
        uses=("NativeTelemetry.__call__",),
    ),
    Patch(
        "contrib/web/_instrumentations.py",
        "wrapt.wrap_function_wrapper(module, _START, _start)",
        uses=("_start_internal_or_server_span",),
    ),
    Patch(
        "contrib/web/_streams.py",
        "wrapt.wrap_function_wrapper(module, 'WebServer.serve', _serve)",
        why="called once, by the worker, with nothing: tests/contrib/web/test_web_streams.py",
    ),
    Patch(
        "contrib/web/_streams.py",
        "server.web_app",
        why="the worker's own app, before it serves: tests/contrib/web/test_web_streams.py",
    ),
    Patch(
        "contrib/web/_streams.py",
        "response.body_iterator",
        why="of one response: tests/contrib/web/test_web_streams.py",
    ),
    Patch(
        "contrib/web/_streams.py",
        "response.background",
        why="of one response: tests/contrib/web/test_web_streams.py",
    ),
)

OURS = {
    ("extensions/_forks.py", "setattr(living, name, make())"),
    ("extensions/_lifecycle/observers.py", "vars(around)[_OBSERVER]"),
    ("extensions/integration.py", "globals()[name]"),
    ("extensions/_microsoft.py", "vars(extension)['_trigger_name']"),
    ("extensions/_workers/contexts.py", "vars(context)[METADATA]"),
    ("extensions/_workers/wrapping.py", "vars(invoke)[_CALL_WITH]"),
    ("telemetry/__init__.py", "globals()[name]"),
    ("telemetry/integration.py", "globals()[name]"),
    ("telemetry/_http/library.py", "connection.connect"),
    ("telemetry/_http/library.py", "pool.ConnectionCls"),
    ("telemetry/_values/exceptions.py", "each._str"),
    ("telemetry/_values/exceptions.py", "each.__notes__"),
    ("telemetry/_values/exceptions.py", "each.offset"),
    ("telemetry/_values/exceptions.py", "each.end_offset"),
    (
        "telemetry/_spans/invocation_span.py",
        "setattr(InvocationSpan, _name, LazyField(_name, 'materialize'))",
    ),
    ("telemetry/_spans/invocation_span.py", "known['_attributes']._immutable"),
    ("telemetry/_values/limits.py", "_Chosen.characters"),
    ("telemetry/_place.py", "function.__code__"),
    ("telemetry/_logs/processor.py", "record.trace_flags"),
    ("telemetry/_logs/claims.py", "self._own.key"),
    ("telemetry/_metrics/measurements.py", "reader._export_lock"),
    ("telemetry/_pipeline/logs.py", "copied.log_record"),
    *(
        ("telemetry/_logs/correlation.py", f"fields['{name}']")
        for name in (
            "stack_info",
            "invocation_id",
            "function_name",
            "trace_id",
            "span_id",
            "trace_sampled",
        )
    ),
    ("telemetry/_redaction/scopes.py", "record.severity_text"),
    ("telemetry/_spans/readable.py", "vars(span)[_STAGE]"),
    ("telemetry/_spans/redaction.py", "setattr(span, '_context', left_out)"),
    ("telemetry/_spans/redaction.py", "setattr(span, part, getattr(copy, part))"),
    ("contrib/azuremonitor/_envelopes.py", "envelope.tags"),
    ("contrib/azuremonitor/_envelopes.py", "data.result_code"),
    ("contrib/azuremonitor/_envelopes.py", "envelope.sample_rate"),
    ("contrib/durable/_sdk.py", "vars(executor)['generator']"),
    ("contrib/opencensus/_bridge.py", "setattr(recorded, _SPAN, span)"),
    ("contrib/opencensus/_tracing.py", "root.context_tracer"),
    ("contrib/opencensus/_translation.py", "setattr(span, '_start_time', start)"),
    ("contrib/opencensus/_translation.py", "setattr(span, '_kind', kind)"),
    ("contrib/web/_fastapi.py", "known.config"),
    ("contrib/web/_fastapi.py", "setattr(telemetry, _JOINED, known)"),
}
"""Where nothing of others is replaced: objects that are ours, copies, and fields that we add."""
