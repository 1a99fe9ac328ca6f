"""What the worker tells a function of its call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping


class TraceContext:
    """The host's W3C trace context."""

    def __init__(self, trace_parent: str, trace_state: str, attributes: Mapping[str, str]) -> None:
        self._trace_parent = trace_parent
        self._trace_state = trace_state
        self._attributes = attributes

    @property
    def trace_parent(self) -> str:
        return self._trace_parent

    @property
    def trace_state(self) -> str:
        return self._trace_state

    @property
    def attributes(self) -> Mapping[str, str]:
        return self._attributes

    # The older names of the same.
    Traceparent = trace_parent
    Tracestate = trace_state
    Attributes = attributes


class RetryContext:
    """Which attempt a call is."""

    def __init__(self, retry_count: int, max_retry_count: int) -> None:
        self.retry_count = retry_count
        self.max_retry_count = max_retry_count


class Context:
    """The `context` argument."""

    def __init__(
        self,
        func_name: str,
        func_dir: str,
        invocation_id: str,
        thread_local_storage: threading.local,
        trace_context: TraceContext,
        retry_context: RetryContext,
    ) -> None:
        self._func_name = func_name
        self._func_dir = func_dir
        self._invocation_id = invocation_id
        self._thread_local_storage = thread_local_storage
        self._trace_context = trace_context
        self._retry_context = retry_context

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def thread_local_storage(self) -> threading.local:
        return self._thread_local_storage

    @property
    def function_name(self) -> str:
        return self._func_name

    @property
    def function_directory(self) -> str:
        return self._func_dir

    @property
    def trace_context(self) -> TraceContext:
        return self._trace_context

    @property
    def retry_context(self) -> RetryContext:
        return self._retry_context
