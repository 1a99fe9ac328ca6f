"""
The session of a process: its options and settings, and when its telemetry starts and ends.

docs/decisions/024 says why.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from funcscope.extensions import propagate
from funcscope.extensions.integration import (
    Once,
    in_flight,
    lock_of,
    log_quietly,
    start_detached,
    when_idle,
    when_stopped,
)
from funcscope.telemetry._config.host import warning_times_s
from funcscope.telemetry._config.settings import Settings, read_settings
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._logs.filters import LOG_FILTERS, break_loops
from funcscope.telemetry._metrics.invocation import Initialization
from funcscope.telemetry._pipeline.flush import HURRIED_IDLE_INTERVAL_S, HURRIED_S, FlushThread
from funcscope.telemetry._pipeline.shutdown import drain_at_exit
from funcscope.telemetry._recording.active import ActiveSession, activate, inactive, warm_up
from funcscope.telemetry._recording.instrumentations import instrumentations
from funcscope.telemetry._sdk_settings import sdk_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.sdk.trace import SpanProcessor

    from funcscope.extensions import Invocation
    from funcscope.telemetry._config.options import Value
    from funcscope.telemetry._logs.filters import Filter
    from funcscope.telemetry._pipeline.shutdown import ExitDrain

_logger = logging.getLogger("funcscope.telemetry")

_HURRIED = (
    "SIGTERM ends this process without a word: no handler can be set from another thread than the "
    "main one, where R2P2 imports the app; so what is recorded is sent %s s after the last sending "
    "when the app is idle, and %s s after it was recorded under load"
)
_PLUGINS = "funcscope.telemetry._plugins"
_UNFINISHED = "funcscope.telemetry._recording.unfinished"
_TELLING = "funcscope-unfinished"


class Session:
    """
    The settings of this process, and what is done once in it: warm-up, start and drain.

    Settings are read when the first function was loaded, providers set when the first
    invocation starts: what the app set at import wins, and an environment that the host
    fills late (Linux Consumption's placeholders) is complete by then.

    Args:
        started_s: When the app began to be imported, as `perf_counter` tells it.
        environ: The app settings.

    Attributes:
        environ: The same.
        active: What recording needs; None before the first invocation.
    """

    def __init__(
        self, started_s: float | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self.environ = environ
        self.active: ActiveSession | None = None
        # Held while attributes are set, and nothing else.
        self._lock = lock_of(self)
        self._starting = Once()
        self._given: dict[str, Value] = {}
        self._span_processors: list[SpanProcessor] = []
        self._log_filters: list[Filter] = []
        self._settings: Settings | None = None
        self._has_started = False
        self._is_warm = False
        self._is_drained = False
        self._exit: ExitDrain | None = None
        self._tells_at_end = False
        self._initialization = Initialization(started_s)

    def configure(
        self,
        given: Mapping[str, Value],
        span_processors: Sequence[SpanProcessor],
        log_filters: Sequence[Filter] = (),
    ) -> None:
        """
        Take options from code; later ones win over earlier ones, processors and filters add up.

        Raises:
            TelemetryError: The first invocation has started.
        """
        with self._lock:
            is_late = self._has_started
            if not is_late:
                self._given = {**self._given, **given}
                self._span_processors.extend(span_processors)
                self._log_filters.extend(log_filters)
                self._settings = None
        if is_late:
            raise TelemetryError(
                "configure() comes too late, telemetry has started: "
                "call it when the app is imported, and before start()"
            )
        LOG_FILTERS.set(self._log_filters)

    def successor(self, environ: Mapping[str, str]) -> Session:
        """Make one that is configured alike, and does nothing ahead, nor when the process ends."""
        successor = Session(environ=environ)
        with self._lock:
            successor._given = dict(self._given)
            successor._span_processors = list(self._span_processors)
            successor._log_filters = list(self._log_filters)
        successor._is_drained = True
        successor._is_warm = True
        LOG_FILTERS.set(successor._log_filters)
        return successor

    def read_settings(self) -> Settings:
        """Read the settings, once, and log what is wrong with them."""
        while (settings := self._settings) is None:
            given = self._given
            _mend()
            read = read_settings(self.environ, given)
            with self._lock:
                is_first = self._settings is None and self._given is given
                if is_first:
                    self._settings = read
            for problem in (*read.problems, *sdk_environment.problems()) if is_first else ():
                _logger.error("%s", problem)
        return settings

    def prepare(self, function_directory: str) -> Settings:
        """
        Make ready when a function was loaded: name wrong settings, and load the SDK meanwhile.

        Returns the settings, for what of them this room does not do.

        The SDK takes about 0.1 s to import, which the first invocation would wait for. A thread
        does it while the worker answers its host. In the v1 model the worker goes on importing
        the app, and two threads had better not import one package: there it is done at once.
        """
        self._initialization.loaded()
        break_loops()
        settings = self.read_settings()
        if settings.redact_stream == "on":
            redact_stream = import_module("funcscope.telemetry._logs.stream").redact_stream
            redact_stream(settings.redact)
        instrumentations.turn_on(settings.instrument)  # what was not yet when the app began
        if settings.propagate == "on":
            propagate(leave=settings.leave_threads)
        self._drain_at_exit(settings)
        with self._lock:
            if settings.exports_nothing or self._is_warm:
                return settings
            self._is_warm = True
        sdk_environment.hold_detectors()
        if _tells(settings) and (times := warning_times_s(self.environ)):
            watch, name = self._watch_timeouts, _TELLING
            start_detached(threading.Thread(target=watch, args=times, name=name, daemon=True))
        if (Path(function_directory) / "function.json").is_file():
            warm_up(settings)
        else:
            name = "funcscope-warm-up"
            threading.Thread(target=warm_up, args=(settings,), name=name, daemon=True).start()
        return settings

    def _drain_at_exit(self, settings: Settings, *, at_signal: bool = True) -> None:
        """
        Have what waits sent before the process ends.

        When a function is loaded, as no signal handler can be set on the thread of a pool, where
        a first invocation may run.
        """
        with self._lock:
            if self._is_drained or not settings.shutdown_budget_ms:
                return
            self._is_drained = True
        is_handled = at_signal and callable(signal.getsignal(signal.SIGTERM))
        self._tells_at_end = _tells(settings) and not is_handled
        budget_s = settings.shutdown_budget_ms / 1000
        self._exit = drain_at_exit(self._end, budget_s, at_signal=at_signal)
        if at_signal:
            when_stopped(self._exit.run)
        if self._exit.misses_signal:
            _logger.info(_HURRIED, HURRIED_IDLE_INTERVAL_S, HURRIED_S)

    def _end(self, budget_s: float) -> None:
        if self.active is not None and self.active.pipeline is not None:
            deadline_s = time.monotonic() + budget_s
            if self._tells_at_end and not self.active.pipeline.delivery.is_forked:
                self._tell_of_all(budget_s / 4)
            self.active.pipeline.end(max(0.0, deadline_s - time.monotonic()))

    def _tell_of_all(self, wait_s: float) -> None:
        """Tell of the invocations in flight, elsewhere: who was interrupted may hold a lock."""
        if running := in_flight():
            tell = partial(self._tell_of, "its process is about to end", running)
            thread = FlushThread(tell, name=_TELLING)
            told = thread.ask()
            thread.help_out()
            told.wait(wait_s)

    def _watch_timeouts(self, timeout_s: float, left_s: float) -> None:
        """Tell of invocations before their time-out; load what does so once the first is near."""
        time.sleep(timeout_s - left_s)
        tell = partial(self._tell_of, f"its time-out ends it in {left_s:.1f} s")
        for wait_s in import_module(_UNFINISHED).watch(timeout_s - left_s, tell):
            time.sleep(wait_s)

    def _tell_of(self, ending: str, invocations: Iterable[Invocation]) -> None:
        import_module(_UNFINISHED).tell_of(self.active, ending, invocations)

    def start_early(self) -> None:
        """Set the providers while the app is imported; wrong settings are named then."""
        self._drain_at_exit(self.read_settings())
        self.start()

    def start_in_child(self) -> None:
        """Make ready in a process that a function started, of which the host exports nothing."""
        settings = self.read_settings()
        if settings.propagate == "on":
            propagate(leave=settings.leave_threads)
        self._drain_at_exit(settings, at_signal=False)  # who ends it does not wait for us
        if self.active is None:
            self.start(has_host=False)

    def start(self, *, has_host: bool = True) -> ActiveSession:
        """Set the providers, once, before the first function runs."""
        settings = self.read_settings()
        if self._exit is not None and self._exit.misses_signal:
            settings = settings._replace(is_hurried=True)

        def start() -> None:
            with self._lock:
                self._has_started = True
            active = self._activate(settings, has_host=has_host)
            if active.on_idle is not None:
                when_idle(active.on_idle)
            self.active = active
            if active.pipeline is not None and self._exit is not None:
                active.pipeline.delivery.do_at_start(self._exit.get_ready)

        self._starting.do(start)
        if self.active is None:
            raise TelemetryError("what records is still being set up: this invocation has no span")
        return self.active

    def leave_spans_to_sdk(self, active: ActiveSession, error: Exception) -> None:
        """Have the tracer start all spans from now on, and warn of what does not fit."""
        if self.active is active:
            self.active = active.without_builder(error)

    def _activate(self, settings: Settings, *, has_host: bool) -> ActiveSession:
        try:
            return activate(
                settings,
                self.environ,
                self._span_processors,
                self._initialization,
                has_host=has_host,
            )
        except Exception as error:  # noqa: BLE001  (logged once, and not tried in each invocation)
            log_quietly(_logger, logging.ERROR, "invocations are not recorded", error=error)
            return inactive(self._initialization)


def _mend() -> None:
    """Leave out what the SDK would fail on, of an environment that may have been filled late."""
    sdk_environment.mend()
    if os.environ.get("OTEL_PROPAGATORS"):
        import_module(_PLUGINS).mend_propagators()


def _tells(settings: Settings) -> bool:
    """Return whether invocations are told of that are about to be killed."""
    return settings.unfinished == "on" and bool(settings.traces.exporters)
