"""
A stand-in for R2P2's Python side, which is on no package index.

It has the threads, look-ups and order of calls that were read in `workers/r2p2/bridge/bridge.py`
and `workers/r2p2/src/main.rs` of github.com/Azure/azure-functions-python-worker, and nothing
convenient beyond them. What Rust does there the caller does: it calls `invoke_native` from threads
of its own, and ends the process after `shutdown`, without Python's exit.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

_rt: Any = None
_rt_tls: threading.local | None = None
_loop: asyncio.AbstractEventLoop | None = None


def configure(rt: Any) -> None:
    """Take the library worker of the app, a module, before the app is imported."""
    global _rt, _rt_tls
    _rt = rt
    _rt_tls = importlib.import_module(f"{rt.__name__}.bindings.context")._invocation_id_local
    _start_loop()


def _current_invocation_id() -> str | None:
    found: str | None = _rt.invocation_id_cv.get()
    return found if found is not None else getattr(_rt_tls, "invocation_id", None)


class _RpcLogHandler(logging.Handler):
    """Sends what is logged to the host, with the invocation it belongs to."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, str | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.rows.append((self.format(record), _current_invocation_id()))


def _start_loop() -> None:
    global _loop
    loop = _loop = asyncio.new_event_loop()

    def _run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()

    threading.Thread(target=_run, name="bridge-asyncio", daemon=True).start()


def _run_coro(coro: Coroutine[Any, Any, Any]) -> Any:
    assert _loop is not None
    return asyncio.run_coroutine_threadsafe(coro, _loop).result()


def invoke_native(*arguments: Any) -> Any:
    """Call a function: a sync one from here, an async one on the loop's thread."""
    native = importlib.import_module(f"{_rt.__name__}.native_invocation")
    handled, *outcome = native.run_invocation_sync(*arguments)
    if not handled:
        return _run_coro(native.invocation_request_native(*arguments))
    return outcome


def shutdown() -> None:
    try:
        if _rt is not None:
            _rt.stop_threadpool_executor()
    except Exception:
        pass
    if _loop is not None:
        _loop.call_soon_threadsafe(_loop.stop)
