"""Where an app's telemetry goes: to this terminal, unless the user has said otherwise."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from funcscope.contrib.host._printer import NoTraces, TracePrinter
from funcscope.contrib.host._receiver import OtlpReceiver

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, MutableMapping

    from funcscope.contrib.host._console import HostConsole
    from funcscope.contrib.host._otlp import Batch
    from funcscope.contrib.host._printer import Observer

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROXY_EXEMPT = ("NO_PROXY", "no_proxy")


@contextmanager
def showing_traces(
    environment: MutableMapping[str, str],
    console: HostConsole,
    *,
    on_batch: Callable[[Batch], object] | None = None,
) -> Generator[Observer, None, None]:
    """
    Receive the app's telemetry and show each trace; or say where it goes instead.

    Args:
        environment: Gets the receiver's endpoint, unless it has one already.
        console: Where to show traces.
        on_batch: Called with everything received, too.
    """
    chosen = _chosen_endpoint(environment)
    if chosen is not None:
        name, value = chosen
        console.say(f"traces go to {value} ({name}): they are not shown here", style="dim")
        yield NoTraces()
        return

    with TracePrinter(console.show_trace) as printer:

        def receive(batch: Batch) -> None:
            printer.add(batch)
            if on_batch is not None:
                on_batch(batch)

        with OtlpReceiver(receive) as receiver:
            environment[_ENDPOINT] = receiver.endpoint
            _exempt_from_proxies(environment)
            yield printer
    if printer.is_missing_telemetry:
        console.say(
            "no telemetry came: add `import funcscope.auto` as your app's first line",
            style="yellow",
        )


def _chosen_endpoint(environment: MutableMapping[str, str]) -> tuple[str, str] | None:
    for name, value in sorted(environment.items()):
        if name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("ENDPOINT") and value:
            return name, value
    return None


def _exempt_from_proxies(environment: MutableMapping[str, str]) -> None:
    """Keep exporters from asking a proxy for this machine."""
    for name in _PROXY_EXEMPT:
        hosts = environment.get(name, "")
        if "127.0.0.1" not in hosts:
            environment[name] = f"{hosts},127.0.0.1".removeprefix(",")
