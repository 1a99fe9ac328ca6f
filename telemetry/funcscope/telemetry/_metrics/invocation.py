"""
Measurements of invocations: semantic conventions 1.44, `faas`, `http` and `messaging` metrics.

What cannot be told of one invocation from within the process is not recorded: memory and
network traffic (`faas.mem_usage`, `faas.net_io`), which concurrent invocations share, and
timeouts (`faas.timeouts`), of which the worker dies.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import deque
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, NamedTuple

from funcscope.extensions.integration import OnceLog, reset_after_fork
from funcscope.telemetry._context import current_context
from funcscope.telemetry._scope import MCP_BUCKETS_S, duration_histogram
from funcscope.telemetry._semconv import SYSTEM_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.metrics import Counter, Histogram, Meter

    from funcscope.extensions import Function, Invocation
    from funcscope.telemetry._semconv import Attributes
    from funcscope.telemetry._triggers.extractor import TriggerExtractor

    Constants = Mapping[str, str | bool | int | float | tuple[str, ...]]
    # An invocation that is being measured: what it shares with others, what its trigger says, when
    # it began by the clock, and the thread's CPU time then.
    Measurement = tuple["Series", Constants, float, float]
    # One that has ended: the first two, the outcome, `error.type`, how long it took in seconds,
    # and of CPU time, and the context with its span.
    _Taken = tuple["Series", Constants, Constants, "str | None", float, float, Context]

_logger = logging.getLogger("funcscope.telemetry")

_BATCH_SIZE = 256
_RECORDING_S = 0.1
_NOT_MEASURED = "invocations are not measured, or not wholly"

HTTP_REQUIRED = ("http.request.method", "url.scheme")
MESSAGING = (
    "messaging.consumer.group.name",
    "messaging.destination.name",
    "messaging.destination.subscription.name",
    "messaging.operation.name",
    "messaging.system",
    SYSTEM_NAME,
)
"""Attributes that a binding has of its messages; those of a message may have any value."""
MCP = ("gen_ai.operation.name", "gen_ai.prompt.name", "gen_ai.tool.name", "mcp.method.name")


class Initialization:
    """
    The time until an app is ready: from the import of `funcscope.auto` to its last function.

    Not from the start of the process: a placeholder process waits for an app, perhaps for hours.
    Nor to the first invocation: an instance that is always ready waits for it, too. What the app
    imports before `funcscope.auto` is not in it.

    Args:
        started_s: When that import began, by the clock; None for now.
        clock: Seconds that only grow.
    """

    def __init__(
        self, started_s: float | None = None, clock: Callable[[], float] = perf_counter
    ) -> None:
        self._clock = clock
        self._start = clock() if started_s is None else started_s
        self._end: float | None = None
        self._reads = itertools.count()

    def loaded(self) -> None:
        """Note that a function was loaded; the last one before the first invocation counts."""
        self._end = self._clock()

    def take(self) -> float | None:
        """Return the duration in seconds, once: None to all but the first who asks."""
        if next(self._reads):  # as atomic as a lock, and cheaper
            return None
        return (self._clock() if self._end is None else self._end) - self._start


class Instruments(NamedTuple):
    """The instruments, each named as the conventions do."""

    invoke_duration: Histogram
    init_duration: Histogram
    cpu_usage: Histogram
    coldstarts: Counter
    errors: Counter
    invocations: Counter
    http_duration: Histogram
    messaging_duration: Histogram
    mcp_duration: Histogram


class Series(NamedTuple):
    """
    Attributes that do not change between a function's invocations.

    Attributes:
        faas: Attributes of the `faas` metrics.
        http: Those of the HTTP metric; None for other triggers.
        messaging: Those of the messaging metric; None for other triggers.
        mcp: Those of the MCP metric; None for other triggers, and where nobody asks for it.
        has_thread: Whether an invocation has its thread to itself.
    """

    faas: Constants
    http: Constants | None
    messaging: Constants | None
    mcp: Constants | None
    has_thread: bool


class InvocationMetrics:
    """
    Measures the invocations of this process; a warmup is none.

    Args:
        meter: Makes the instruments.
        initialization: How long the app took to be ready.
        is_on: Whether anything is measured.
        is_host_measuring: Whether the host exports `faas.invoke_duration`,
            `http.server.request.duration` and `mcp.server.operation.duration` itself, as it does
            in its OpenTelemetry mode: these are left to it then.
        are_requests_counted: Whether where measurements go counts the requests that it gets, as
            Azure Monitor does: `http.server.request.duration` would count each once more.
        on_batch_ready: Called, quickly, when many measurements wait for `record_pending`; None
            where each is recorded at once, which takes the SDK several times as long.
        clock: Seconds that only grow.
        thread_clock: Seconds of CPU time that the current thread has used.

    Attributes:
        is_on: Whether anything is measured.
        are_requests_counted: The same.
    """

    def __init__(
        self,
        meter: Meter,
        initialization: Initialization,
        *,
        is_on: bool = True,
        is_host_measuring: bool = False,
        are_requests_counted: bool = False,
        on_batch_ready: Callable[[], object] | None = None,
        clock: Callable[[], float] = perf_counter,
        thread_clock: Callable[[], float] = thread_time,
    ) -> None:
        self._instruments = _instruments(meter) if is_on else None
        self.is_on = is_on
        self._initialization: Initialization | None = initialization
        self._is_host_measuring = is_host_measuring
        self.are_requests_counted = are_requests_counted
        self._clock = clock
        self._thread_clock = thread_clock
        self._series: dict[Function, Series | None] = {}
        self._once = OnceLog(_logger, logging.ERROR)  # a meter of the app's may be anything
        self._on_batch_ready = on_batch_ready
        self._waiting: deque[_Taken] = deque()
        # Not a lock: the SDK's code runs meanwhile, and may wait for what its reader holds.
        self._recording: list[None] = []
        reset_after_fork(self._reset)

    def begin(self, invocation: Invocation, extractor: TriggerExtractor) -> Measurement | None:
        """Begin to measure an invocation, right before its function runs and on its thread."""
        # In one function, as each that runs once per invocation is felt (docs/decisions/022).
        instruments = self._instruments
        if instruments is None:
            return None
        try:
            try:
                series = self._series[invocation.function]
            except KeyError:
                series = self._series[invocation.function] = _series(invocation.function, extractor)
            if series is None:
                return None
            if invocation.is_cold_start:
                instruments.coldstarts.add(1, series.faas)
            if (initialization := self._initialization) is not None:
                self._initialization = None
                if (init_s := initialization.take()) is not None:
                    instruments.init_duration.record(init_s, series.faas)
            attributes = extractor.metric_attributes(invocation)
            start_s = self._clock()
            return series, attributes, start_s, self._thread_clock() if series.has_thread else 0.0
        except Exception as error:  # noqa: BLE001  (nothing here may reach the function)
            self._once.log(_NOT_MEASURED, error=error)
            return None

    def end(
        self,
        measurement: Measurement | None,
        outcome: Constants,
        error_type: str | None,
    ) -> None:
        """
        Record an invocation, right after its function ran and while its span is current.

        Args:
            measurement: What `begin` returned.
            outcome: What its result or failure added to the span.
            error_type: `error.type` of the span; None where it succeeded.
        """
        if measurement is None:
            return
        series, attributes, start_s, start_cpu_s = measurement
        # Within the duration, so that nobody sees more CPU time than there was time.
        cpu_s = self._thread_clock() - start_cpu_s if series.has_thread else 0.0
        duration_s = self._clock() - start_s
        taken = series, attributes, outcome, error_type, duration_s, cpu_s, current_context()
        if self._on_batch_ready is None:
            self._record(taken)
            return
        self._waiting.append(taken)
        if len(self._waiting) >= _BATCH_SIZE:
            self._on_batch_ready()

    def record_pending(self) -> None:
        """Record what waits; what another thread is recording is waited for, for a while."""
        self._recording.append(None)
        try:
            while self._waiting:
                self._record(self._waiting.popleft())
        except IndexError:  # another thread took the last one
            pass
        finally:
            self._recording.pop()
        deadline = time.monotonic() + _RECORDING_S
        while self._recording and time.monotonic() < deadline:
            time.sleep(0.001)

    def _reset(self) -> None:
        """Forget in a forked child what is its parent's to record."""
        self._waiting.clear()
        self._recording.clear()

    def _record(self, taken: _Taken) -> None:
        try:
            if self._instruments is not None:
                self._record_with(self._instruments, *taken)
        except Exception as error:  # noqa: BLE001  (nothing here may reach the function)
            self._once.log(_NOT_MEASURED, error=error)

    def _record_with(
        self,
        instruments: Instruments,
        series: Series,
        attributes: Constants,
        outcome: Constants,
        error_type: str | None,
        duration_s: float,
        cpu_s: float,
        context: Context,
    ) -> None:
        faas = _with_error(series.faas, error_type)
        if series.has_thread:
            instruments.cpu_usage.record(cpu_s, faas, context)
        counter = instruments.invocations if error_type is None else instruments.errors
        counter.add(1, faas, context)
        if series.messaging is not None:
            messaging = _with_error(series.messaging, error_type)
            instruments.messaging_duration.record(duration_s, messaging, context)
        if self._is_host_measuring:
            return
        instruments.invoke_duration.record(duration_s, faas, context)
        if series.mcp is not None:
            mcp = _with_error(series.mcp, error_type)
            instruments.mcp_duration.record(duration_s, mcp, context)
        if self.are_requests_counted or series.http is None:
            return
        if http := _http_attributes(series.http, {**attributes, **outcome}):
            instruments.http_duration.record(duration_s, _with_error(http, error_type), context)


def off_thread(measurement: Measurement) -> Measurement:
    """Return a measurement without CPU time, as its thread has long gone on to other work."""
    series, attributes, start_s, _ = measurement
    return series._replace(has_thread=False), attributes, start_s, 0.0


def _series(function: Function, extractor: TriggerExtractor) -> Series | None:
    trigger = "" if function.trigger is None else function.trigger.type.lower()
    if trigger == "warmuptrigger":
        return None
    constants = extractor.constants
    kind = constants.get("faas.trigger", "other")
    is_message = "messaging.operation.name" in constants
    return Series(
        faas={"faas.trigger": kind, "faas.name": function.name},
        http=_only(constants, ("http.route",)) if kind == "http" else None,
        messaging=_only(constants, MESSAGING) if is_message else None,
        mcp=_only(constants, MCP) if extractor.operation else None,
        # Tasks take turns on the event loop's thread.
        has_thread=not function.is_async,
    )


def _http_attributes(constants: Constants, attributes: Constants) -> Attributes:
    """Return a request's attributes; none where one that the conventions require is unknown."""
    if not all(name in attributes for name in HTTP_REQUIRED):
        return {}
    # The route is among the attributes where a web framework has another than the function's.
    names = (*HTTP_REQUIRED, "http.route", "http.response.status_code")
    return {**constants, **_only(attributes, names)}


def _only(attributes: Constants, names: tuple[str, ...]) -> Attributes:
    return {name: attributes[name] for name in names if name in attributes}


def _with_error(attributes: Constants, error_type: str | None) -> Constants:
    return attributes if error_type is None else {**attributes, "error.type": error_type}


def _instruments(meter: Meter) -> Instruments:
    return Instruments(
        invoke_duration=duration_histogram(
            meter,
            "faas.invoke_duration",
            "Measures the duration of the function's logic execution.",
        ),
        init_duration=duration_histogram(
            meter,
            "faas.init_duration",
            "Measures the duration of the function's initialization, such as a cold start.",
        ),
        cpu_usage=duration_histogram(
            meter, "faas.cpu_usage", "Distribution of CPU usage per invocation."
        ),
        coldstarts=meter.create_counter(
            "faas.coldstarts", "{coldstart}", "Number of invocation cold starts."
        ),
        errors=meter.create_counter("faas.errors", "{error}", "Number of invocation errors."),
        invocations=meter.create_counter(
            "faas.invocations", "{invocation}", "Number of successful invocations."
        ),
        http_duration=duration_histogram(
            meter, "http.server.request.duration", "Duration of HTTP server requests."
        ),
        messaging_duration=duration_histogram(
            meter, "messaging.process.duration", "Duration of processing operation."
        ),
        mcp_duration=duration_histogram(
            meter,
            "mcp.server.operation.duration",
            "Duration of an MCP request from when it came until its result was sent.",
            MCP_BUCKETS_S,
        ),
    )
