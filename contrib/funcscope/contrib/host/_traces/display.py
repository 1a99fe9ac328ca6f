"""Showing an app's telemetry in this terminal, unless the user's settings send it elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from funcscope.contrib.host._traces.destinations import (
    SIGNALS,
    chosen_endpoints,
    describe_endpoints,
    explain_silence,
    point_at_receiver,
)
from funcscope.contrib.host._traces.printer import TracePrinter
from funcscope.contrib.host._traces.receiver import OtlpReceiver

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
) -> Generator[Observer, None, None]:
    """
    Receive the app's telemetry and show each trace; name the destination of the other signals.

    Args:
        environment: Gets the receiver's endpoint for the signals that have none.
        console: Where to show traces.
        on_batch: Called with everything received, too.
        modules: The names of funcscope's modules that the app has imported, in the end.
    """
    chosen = chosen_endpoints(environment)
    elsewhere = describe_endpoints(environment)
    received = [signal for signal in SIGNALS if signal not in chosen]
    if not received:
        _say(console, elsewhere)
        yield _show_nothing
        return

    show = partial(console.show_trace, nothing=_nothing(received))
    with TracePrinter(show) as printer:

        def receive(batch: Batch) -> None:
            printer.add(batch)
            if on_batch is not None:
                on_batch(batch)

        with OtlpReceiver(receive) as receiver:
            overridden = point_at_receiver(environment, receiver.endpoint, received)
            _say(console, "; ".join(filter(None, (elsewhere, overridden))))
            yield printer.observe if set(received).intersection(_DRAWN) else _show_nothing
    if printer.is_missing_telemetry and "traces" in received:
        _say(console, explain_silence(environment, modules), style="yellow")


def _show_nothing(_: HostRequest) -> None:
    """Show nothing of an invocation: its telemetry goes elsewhere."""


def _nothing(received: Sequence[str]) -> str:
    """Say what is missing where a request has nothing below it."""
    drawn = [signal for signal in _DRAWN if signal in received]
    return f"no {drawn[0]}" if len(drawn) == 1 else "no telemetry"


def _say(console: HostConsole, line: str, style: str = "dim") -> None:
    if line:
        console.say(line, style=style)
