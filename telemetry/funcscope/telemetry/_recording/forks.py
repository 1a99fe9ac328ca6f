"""Forked children send what they record, and only that."""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import wrapt
from opentelemetry import _logs, metrics, trace
from opentelemetry.trace import get_current_span

from funcscope.extensions import current_invocation
from funcscope.extensions.integration import Latch, in_flight
from funcscope.telemetry._context import current_span_context
from funcscope.telemetry._logs.buffer import discard
from funcscope.telemetry._metrics.measurements import forget_measurements, has_measurements
from funcscope.telemetry._pipeline.flush import FlushThread, wait_for
from funcscope.telemetry._pipeline.tail_sampling import sample_all
from funcscope.telemetry._recording.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_logger = logging.getLogger("funcscope.telemetry")

FLUSH_S = 5
"""How long a child process waits at most for what it recorded to be sent."""

_patience = Patience(FLUSH_S, short_s=0.5, holds_s=30)

_LAST = -100  # multiprocessing's own finalizers, down to -5, come first
_WALKED = ("opentelemetry.", "funcscope.", "azure.")

_watched = Latch()
_forked = Latch()
_inherited: list[object] = []


def _force_flush(get_provider: Callable[[], object]) -> None:
    cast("Any", get_provider()).force_flush()


_FLUSH_THREADS: Mapping[Callable[[], object], FlushThread] = {
    get_provider: FlushThread(partial(_force_flush, get_provider))
    for get_provider in (
        trace.get_tracer_provider,
        _logs.get_logger_provider,
        metrics.get_meter_provider,
    )
}
"""By what returns a provider: the thread on which this process, once asked, has it flushed."""


def flush() -> None:
    """Send what this process has recorded, and wait for it a few seconds at most."""
    try:
        threads = list(_flush_threads())
        wait_s = _patience.wait_s()
        deadline_s = time.monotonic() + wait_s
        is_done = wait_for([thread.ask() for thread in threads], deadline_s)
        if not is_done:
            _logger.warning("telemetry could not be sent within %s s", wait_s)
        _patience.waited(wait_s, is_done=is_done)
    except Exception:
        _logger.exception("telemetry could not be sent")


def _flush_threads() -> Iterator[FlushThread]:
    for get_provider, thread in _FLUSH_THREADS.items():
        provider = get_provider()
        is_of_metrics = get_provider is metrics.get_meter_provider
        if _forked.is_closed and is_of_metrics and not has_measurements(provider):
            continue  # it would send what it observes itself, from every child
        if getattr(provider, "force_flush", None):
            yield thread


def watch_forks() -> None:
    """
    Have forked children send what they record, and only that.

    The SDK (1.45) gives a child empty queues, threads and instance ids of its own. It leaves it
    the parent's open connections, on which the answers to both would be mixed up
    (opentelemetry-python#4994), and the parent's measurements, which would count twice. And
    `multiprocessing` ends its children without `atexit`.
    """
    if not _watched.close():
        return
    _patience.share()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
    wrapt.register_post_import_hook(_watch_multiprocessing, "multiprocessing.util")


def _watch_multiprocessing(util: Any) -> None:  # the module's own types leave these out
    def flush_at_the_end(_: object) -> None:
        util.Finalize(None, flush, exitpriority=_LAST)

    util.register_after_fork(flush, flush_at_the_end)


def _before_fork() -> None:
    """Make the ids of the spans that the child goes on below: made later, each has its own."""
    with suppress(Exception):
        get_current_span().get_span_context()
        current_span_context(current_invocation())


def _after_fork() -> None:
    """Part with what is the parent's; takes no lock, as its threads may have held any."""
    for invocation in in_flight():
        with suppress(Exception):
            discard(invocation)
            sample_all(invocation)
    with suppress(Exception):
        _reconnect([get_provider() for get_provider in _FLUSH_THREADS])
    with suppress(Exception):
        forget_measurements(metrics.get_meter_provider())
    _forked.close()


def _reconnect(providers: Iterable[object]) -> None:
    """Give each HTTP session of the exporters new pools of connections."""
    requests = sys.modules.get("requests")
    if requests is None:
        return
    for session in _find(requests.Session, providers):
        for adapter in session.adapters.values():
            # Kept, as closing them takes their locks.
            _inherited.append((adapter.poolmanager, adapter.proxy_manager))
            adapter.__setstate__(adapter.__getstate__())  # as `copy` would: with new pools


def _find(wanted: type, roots: Iterable[object]) -> Iterator[Any]:  # of the type that is wanted
    """Search what providers are made of: exporters come from the app and from others, too."""
    waiting, seen = list(roots), set[int]()
    while waiting:
        part: Any = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, wanted):
            yield part
        elif isinstance(part, (list, tuple)):
            waiting.extend(cast("list[object]", part))
        elif type(part).__module__.startswith(_WALKED):
            waiting.extend(getattr(part, "__dict__", {}).values())
