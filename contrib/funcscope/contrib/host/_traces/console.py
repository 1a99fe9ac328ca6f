"""The local host's output: the look of `func start`, and trees of traces."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from funcscope.contrib._local.app import WORKER_PACKAGES
from funcscope.contrib.host._traces.trees import draw_trace

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from funcscope.contrib.host._traces.traces import Trace

_UNLIMITED = 10_000  # trees are cropped at this width; the terminal wraps what is longer
_STYLES = ((logging.ERROR, "red"), (logging.WARNING, "yellow"))


class HostConsole:
    """Writes to standard output; any thread may call."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True, width=_UNLIMITED)

    def say(self, text: str | Text = "", *, style: str = "") -> None:
        """Write a line as it is: square brackets are no markup."""
        self._console.print(text if isinstance(text, Text) else Text(text, style=style))

    def log(self, message: str, *, level: int = logging.INFO, when: float | None = None) -> None:
        """Write a line as `func start` writes log lines."""
        moment = datetime.now(timezone.utc)
        if when is not None:
            moment = datetime.fromtimestamp(when, timezone.utc)
        stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        style = next((style for least, style in _STYLES if level >= least), "")
        self.say(Text(f"[{stamp}] ").append(message, style=style))

    def show_functions(self, lines: Iterable[tuple[str, str]]) -> None:
        """Write the list of functions, each with its URL or its trigger."""
        self.say()
        self.say("Functions:", style="yellow")
        for name, detail in lines:
            self.say()
            self.say(Text(f"        {name}: ", style="yellow").append(detail, style="green"))
        self.say()

    def show_trace(self, trace: Trace, *, nothing: str = "no telemetry") -> None:
        """Write a trace as trees; `nothing` stands beside a request without any."""
        for tree in draw_trace(trace, nothing=nothing):
            self.say()
            self._console.print(tree)


class ConsoleHandler(logging.Handler):
    """Writes an app's log records; the worker's own stay out, as in `func start`."""

    def __init__(self, console: HostConsole) -> None:
        super().__init__()
        self._console = console

    def filter(self, record: logging.LogRecord) -> bool:
        """Refuse the worker's own records: it uses a logger that apps may use as well."""
        is_workers = any(package in record.pathname for package in WORKER_PACKAGES.values())
        return not is_workers and bool(super().filter(record))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            self._console.log(self.format(record), level=record.levelno, when=record.created)
        except Exception:  # noqa: BLE001 -- what logging.Handler asks of emit
            self.handleError(record)


@contextmanager
def logging_to(console: HostConsole) -> Generator[None, None, None]:
    """Send the host's own records to the console, from WARNING on: the app's come by themselves."""
    handler = ConsoleHandler(console)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(handler)


def encode_safely() -> None:
    """Let terminals that cannot show a character show a question mark, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
