"""Showing an app's requests and telemetry in this terminal."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

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

_DRAWN = ("traces", "logs")


@contextmanager
def showing_traces(
    environment: MutableMapping[str, str],
    console: HostConsole,
    *,
    on_batch: Callable[[Batch], object] | None = None,
    modules: Container[str] = (),
    mode: str = "auto",
) -> Generator[Observer, None, None]:
    """
    Receive the app's telemetry, show each request, and hand on what has an endpoint.

    Args:
        environment: The app's; gets the receiver's endpoint, and which host this is.
        console: Where to show requests and traces.
        on_batch: Called with everything received, too.
        modules: The names of funcscope's modules that the app has imported, in the end.
        mode: Which traces are trees: one of `MODES` in `_console/choice.py`.
    """
    environment[LOCAL_HOST] = "1"
    routes = find_routes(environment)
    for line in routes.lines:
        _say(console, line)
    if not routes.received:
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
                _say(console, point_at_receiver(environment, receiver.endpoint, routes.received))
                yield printer.observe
    if printer.is_missing_telemetry and "traces" in routes.received:
        _say(console, explain_silence(environment, modules), style="yellow")


class _TraceWriter:
    """
    Writes traces as trees or lines.

    Args:
        console: Where to write.
        choice: Which of the two.
        nothing: The note beside a request that nothing came of.
        on_trace: Called with each trace.
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
        self._nothing = nothing
        self._on_trace = on_trace

    def show(self, trace: Trace) -> None:
        """Write a trace."""
        self._on_trace(trace)
        if self._choice.wants_tree(trace):
            self._console.show_trace(trace, nothing=self._nothing)
        elif trace.requests and not trace.is_late:
            self._console.show_requests(trace, nothing=self._nothing)

    def rest(self) -> None:
        """Write what was held, and how much was left out, now that all requests have their line."""
        self._console.folding.release()
        count = self._console.folding.take_count()
        if count:
            lines = "1 log line is" if count == 1 else f"{count} log lines are"
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
