"""Answers the host's requests."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import queue
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from azure.functions import get_binding_registry

from . import bindings, functions, loader
from .extension import ExtensionManager
from .logging import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class DispatcherMeta(type):
    """Knows the running dispatcher."""

    __current_dispatcher__: Dispatcher | None = None

    @property
    def current(cls) -> Dispatcher:
        disp = DispatcherMeta.__current_dispatcher__
        if disp is None:
            raise RuntimeError("no currently running Dispatcher is found")
        return disp


class Dispatcher(metaclass=DispatcherMeta):
    """Loads and calls functions for the host."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._functions = functions.Registry()
        count = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT")
        self._sync_call_tp = concurrent.futures.ThreadPoolExecutor(
            max_workers=int(count) if count else None
        )
        self._otel_libs_available = (
            os.environ.get("PYTHON_ENABLE_OPENTELEMETRY", "").lower() == "true"
        )
        self._grpc_resp_queue: queue.Queue[Any] = queue.Queue()

    async def _handle__functions_metadata_request(self, request: Any) -> Any:
        """Index a v2 app."""
        path = Path(request.function_app_directory) / "function_app.py"
        if not path.exists():
            return SimpleNamespace(use_default_metadata_indexing=True)
        for function in loader.index_function_app(str(path)):
            self._functions.add_indexed_function(function)
        return SimpleNamespace(use_default_metadata_indexing=False)

    async def _handle__function_load_request(self, request: Any) -> Any:
        """Load a function: a v1 one is imported here, a v2 one is there already."""
        metadata = request.metadata
        if not self._functions.get_function(request.function_id):
            func = loader.load_function(
                metadata.name, metadata.directory, metadata.script_file, metadata.entry_point
            )
            self._functions.add_function(request.function_id, func, metadata)
        ExtensionManager.function_load_extension(metadata.name, metadata.directory)
        return SimpleNamespace(status="Success")

    async def _handle__invocation_request(self, request: Any) -> Any:
        """Call a function."""
        invocation_id = request.invocation_id
        current_task = asyncio.current_task(self._loop)
        assert isinstance(current_task, ContextEnabledTask)
        current_task.set_azure_invocation_id(invocation_id)
        try:
            fi = self._functions.get_function(request.function_id)
            assert fi is not None
            logger.info("Received FunctionInvocationRequest, function name: %s", fi.name)
            args: dict[str, Any] = {}
            for pb in request.input_data:
                kind = fi.input_types[pb.name].binding_name
                converter = get_binding_registry().get(kind)  # type: ignore[no-untyped-call]
                args[pb.name] = converter.decode(pb.data, trigger_metadata=request.trigger_metadata)
            fi_context = self._get_context(request, fi.name, fi.directory)
            fi_context.thread_local_storage.invocation_id = invocation_id
            if fi.requires_context:
                args["context"] = fi_context
            for name in fi.output_types:
                args[name] = bindings.Out()
            if fi.is_async:
                if self._otel_libs_available:
                    self.configure_opentelemetry(fi_context)
                call_result = await self._run_async_func(fi_context, fi.func, args)
            else:
                call_result = await self._loop.run_in_executor(
                    self._sync_call_tp,
                    self._run_sync_func,
                    invocation_id,
                    fi_context,
                    fi.func,
                    args,
                )
            if call_result is not None and not fi.has_return:
                raise RuntimeError(
                    f"function {fi.name!r} without a $return binding returned a non-None value"
                )
            return SimpleNamespace(status="Success", return_value=call_result, exception=None)
        except Exception as ex:
            return SimpleNamespace(status="Failure", return_value=None, exception=ex)

    def configure_opentelemetry(self, invocation_context: Any) -> None:
        """Attach the host's trace context, and never detach it."""
        from opentelemetry import context as context_api
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier = {
            "traceparent": invocation_context.trace_context.trace_parent,
            "tracestate": invocation_context.trace_context.trace_state,
        }
        context_api.attach(TraceContextTextMapPropagator().extract(carrier))

    @staticmethod
    def _get_context(invoc_request: Any, name: str, directory: str) -> bindings.Context:
        sent = invoc_request.trace_context
        return bindings.Context(
            name,
            directory,
            invoc_request.invocation_id,
            _invocation_id_local,
            bindings.TraceContext(sent.trace_parent, sent.trace_state, sent.attributes),
            bindings.RetryContext(0, 0),
        )

    def _run_sync_func(
        self, invocation_id: str, context: Any, func: Callable[..., Any], params: dict[str, Any]
    ) -> Any:
        context.thread_local_storage.invocation_id = invocation_id
        try:
            if self._otel_libs_available:
                self.configure_opentelemetry(context)
            return ExtensionManager.get_sync_invocation_wrapper(context, func)(params)
        finally:
            context.thread_local_storage.invocation_id = None

    async def _run_async_func(
        self, context: Any, func: Callable[..., Any], params: dict[str, Any]
    ) -> Any:
        return await ExtensionManager.get_async_invocation_wrapper(context, func, params)

    def on_logging(self, record: logging.LogRecord, formatted_msg: str) -> None:
        """Send a log line to the host, with the invocation it belongs to."""
        self._grpc_resp_queue.put_nowait(
            SimpleNamespace(
                message=formatted_msg,
                category=record.name,
                invocation_id=get_current_invocation_id(),
            )
        )


class AsyncLoggingHandler(logging.Handler):
    """Puts what is logged into the stream to the host."""

    def emit(self, record: logging.LogRecord) -> None:
        Dispatcher.current.on_logging(record, self.format(record))


class ContextEnabledTask(asyncio.Task[Any]):
    """A task that knows the invocation it was started in."""

    AZURE_INVOCATION_ID = "__azure_function_invocation_id__"

    def __init__(
        self,
        coro: Coroutine[Any, Any, Any],
        loop: asyncio.AbstractEventLoop,
        context: Any = None,
        **kwargs: Any,
    ) -> None:
        if sys.version_info >= (3, 11):
            super().__init__(coro, loop=loop, context=context, **kwargs)
        else:
            super().__init__(coro, loop=loop)
        current_task = asyncio.current_task(loop)
        if current_task is not None:
            invocation_id = getattr(current_task, self.AZURE_INVOCATION_ID, None)
            if invocation_id is not None:
                self.set_azure_invocation_id(invocation_id)

    def set_azure_invocation_id(self, invocation_id: str) -> None:
        setattr(self, self.AZURE_INVOCATION_ID, invocation_id)


def get_current_invocation_id() -> str | None:
    """Find the invocation of the running task, else of the running thread."""
    loop = asyncio._get_running_loop()
    if loop is not None:
        current_task = asyncio.current_task(loop)
        if current_task is not None:
            found: str | None = getattr(current_task, ContextEnabledTask.AZURE_INVOCATION_ID, None)
            if found is not None:
                return found
    return getattr(_invocation_id_local, "invocation_id", None)


_invocation_id_local = threading.local()
