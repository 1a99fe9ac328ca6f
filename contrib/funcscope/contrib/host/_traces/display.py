"""Showing an app's requests and telemetry in this terminal."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from funcscope.contrib.host._console.choice import TreeChoice
from funcscope.contrib.host._forwarding.forwarder import Forwarder
from funcscope.contrib.host._traces.destinations import (
    explain_silence,
    find_routes,
    point_at_receiver,
)
from funcscope.contrib.host._traces.printer import TracePrinter
from funcscope.contrib.host._traces.receiver import OtlpReceiver
from funcscope.contrib.host._traces.traces import Trace
from funcscope.telemetry.integration import LOCAL_HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Generator, MutableMapping, Sequence

    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._traces.otlp import Batch
    from funcscope.contrib.host._traces.traces import HostRequest, Observer

    Arrange: TypeAlias = Callable[[MutableMapping[str, str]], None]

_DRAWN = ("traces", "logs")


@contextmanager
def showing_traces(
    environment: MutableMapping[str, str],
    console: HostConsole,
    *,
    on_batch: Callable[[Batch], object] | None = None,
    modules: Container[str] = (),
    mode: str = "auto",
    on_reload: Callable[[Arrange], object] = lambda _: None,
) -> Generator[Observer, None, None]:
    """
    Receive the app's telemetry, show each request, and hand on what has an endpoint.

    Args:
        environment: The app's; gets the receiver's endpoint, and which host this is.
        console: Where to show requests and traces.
        on_batch: Called with everything received, too.
        modules: The names of funcscope's modules that the app has imported, in the end.
        mode: Which traces are trees: one of `MODES` in `_console/choice.py`.
        on_reload: Gets what does for the app's later environments what is done for this one.
    """
    environment[LOCAL_HOST] = "1"
    routes = find_routes(environment)
    if not routes.received:
        for line in routes.lines:
            _say(console, line)
        on_reload(partial(_leave_alone, console))
        yield _RequestWriter(console).observe
        return

    choice, say = TreeChoice(mode), partial(_say, console, style="yellow")
    with Forwarder(routes.forwarded, say) as forwarder:
        writer = _TraceWriter(console, choice, _nothing(routes.received), forwarder.add_roots)
        with TracePrinter(writer.show, on_rest=writer.rest) as printer:
            console.folding.is_crowded = lambda: printer.is_crowded

            def receive(batch: Batch) -> None:
                if batch.logs and mode != "none":
                    console.folding.note_records()
                printer.add(batch)
                console.show_metrics(batch.metrics)
                if on_batch is not None:
                    on_batch(batch)

            with OtlpReceiver(receive, on_request=forwarder.forward) as receiver:
                ways = _Ways(console, receiver.endpoint, forwarder, writer)
                ways.arrange(environment)
                on_reload(ways.arrange)
                yield printer.observe
    if printer.is_missing_telemetry and "traces" in ways.received:
        _say(console, explain_silence(ways.environment, modules), style="yellow")


def _leave_alone(console: HostConsole, environment: MutableMapping[str, str]) -> None:
    """Leave the signals of an app to its own exporters, as they were when the host started."""
    environment[LOCAL_HOST] = "1"
    if find_routes(environment).received:
        text = "where telemetry goes has changed: start the host again to see it here"
        _say(console, text, style="yellow")


class _Ways:
    """
    The ways of an app's signals, arranged anew whenever its settings are read.

    Args:
        console: Where to say what has changed.
        endpoint: The receiver's.
        forwarder: What hands on.
        writer: What writes traces.

    Attributes:
        environment: The app's, as it was arranged last.
        received: The signals that come to the receiver.
    """

    def __init__(
        self, console: HostConsole, endpoint: str, forwarder: Forwarder, writer: _TraceWriter
    ) -> None:
        self._console = console
        self._endpoint = endpoint
        self._forwarder = forwarder
        self._writer = writer
        self._said: tuple[str, ...] = ()
        self.environment: MutableMapping[str, str] = {}
        self.received: Sequence[str] = ()

    def arrange(self, environment: MutableMapping[str, str]) -> None:
        """Have the app send here, and hand on to the endpoints of its settings."""
        environment[LOCAL_HOST] = "1"
        routes = find_routes(environment)
        self._forwarder.redirect(routes.forwarded)
        self._writer.nothing = _nothing(routes.received)
        self.environment, self.received = environment, routes.received
        overridden = point_at_receiver(environment, self._endpoint, routes.received)
        lines = (*routes.lines, overridden)
        if lines != self._said:
            for line in lines:
                _say(self._console, line)
        self._said = lines


class _TraceWriter:
    """
    Writes traces as trees or lines.

    Args:
        console: Where to write.
        choice: Which of the two.
        nothing: The note beside a request that nothing came of.
        on_trace: Called with each trace.

    Attributes:
        nothing: As above; it may change.
    """

    def __init__(
        self,
        console: HostConsole,
        choice: TreeChoice,
        nothing: str,
        on_trace: Callable[[Trace], object],
    ) -> None:
        self._console = console
        self._choice = choice
        self.nothing = nothing
        self._on_trace = on_trace

    def show(self, trace: Trace) -> None:
        """Write a trace."""
        self._on_trace(trace)
        if self._choice.wants_tree(trace):
            self._console.show_trace(trace, nothing=self.nothing)
        elif trace.requests and not trace.is_late:
            self._console.show_requests(trace, nothing=self.nothing)

    def rest(self) -> None:
        """Write what was held, and how much was left out, now that all requests have their line."""
        self._console.folding.release()
        count = self._console.folding.take_count()
        if count:
            lines = "1 log line is" if count == 1 else f"{count} log lines are"
            hint = "`-v` shows them at once"
            if self._choice.mode != "all":
                hint = "`--traces all` shows them in their traces, `-v` at once"
            _say(self._console, f"{lines} not shown, as many requests ran at once: {hint}")


class _RequestWriter:
    """
    Writes a line for each request when it ends: its telemetry goes elsewhere.

    Args:
        console: Where to write.
    """

    def __init__(self, console: HostConsole) -> None:
        self._console = console

    def observe(self, request: HostRequest) -> None:
        """Write a request that has ended."""
        if request.result is None:
            return
        trace = Trace(request.trace_id, {request.invocation_id: request})
        self._console.show_requests(trace, nothing=f"trace {request.trace_id}")


def _nothing(received: Sequence[str]) -> str:
    """Say what is missing where a request has nothing below it."""
    drawn = [signal for signal in _DRAWN if signal in received]
    return f"no {drawn[0]}" if len(drawn) == 1 else "no telemetry"


def _say(console: HostConsole, line: str, style: str = "dim") -> None:
    if line:
        console.say(line, style=style)
