"""The local host's output: the look of `func start`, requests, and trees of traces."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from funcscope.contrib._local.app import WORKER_PACKAGES
from funcscope.contrib._local.printable import printable
from funcscope.contrib.host._console.allowance import Allowance
from funcscope.contrib.host._console.details import MetricLines
from funcscope.contrib.host._console.folding import Folding
from funcscope.contrib.host._console.levels import ConsoleLevels
from funcscope.contrib.host._console.request_line import lone_line
from funcscope.contrib.host._console.trees import draw_trace

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment

    from funcscope.contrib.host._traces.otlp import ReceivedMetric
    from funcscope.contrib.host._traces.traces import Trace

_UNLIMITED = 10_000  # trees are cropped at this width; the terminal wraps what is longer
_NEVER_EXPORTED = ("funcscope.", "opentelemetry.")  # what exporting logs would export itself
_STYLES = (
    (logging.CRITICAL, "bold red"),
    (logging.ERROR, "red"),
    (logging.WARNING, "yellow"),
)


class _Terminal(Console):
    """A console that no text can command: control characters are written as escapes."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the parts of what is written, each fit for a terminal."""
        for segment in super().render(renderable, options):
            is_text = segment.control is None
            yield segment._replace(text=printable(segment.text)) if is_text else segment


def make_terminal(environment: Mapping[str, str] = os.environ) -> Console:
    """
    Make a console for standard output.

    Without any escape sequence where `NO_COLOR` is set (https://no-color.org), where `TERM` is
    `dumb`, and where it is no terminal, unless `FORCE_COLOR` is set.
    """
    return _Terminal(
        highlight=False,
        soft_wrap=True,
        width=_UNLIMITED,
        color_system=None if environment.get("NO_COLOR") else "auto",
    )


class HostConsole:
    """
    Writes to standard output; any thread may call.

    Args:
        console: Where to write; standard output by default.
        is_verbose: Whether to write all that is known.

    Attributes:
        levels: Which log lines are shown.
        folding: Which of them are left out while many requests run.
    """

    def __init__(self, console: Console | None = None, *, is_verbose: bool = False) -> None:
        self._console = console or make_terminal()
        self._allowance = Allowance()
        self._metric_lines = MetricLines()
        self.is_verbose = is_verbose
        self.levels = ConsoleLevels(is_verbose=is_verbose)
        self.folding = Folding()

    def say(self, text: str | Text = "", *, style: str = "") -> None:
        """Write a line as it is: square brackets are no markup."""
        self._console.print(text if isinstance(text, Text) else Text(text, style=style))

    def log(
        self,
        message: str,
        *,
        level: int = logging.INFO,
        when: float | None = None,
        function: str = "",
        logger: str = "",
    ) -> None:
        """
        Write a line as `func start` writes log lines, if its level is shown.

        Args:
            message: The line, or several.
            level: As the logging module has it.
            when: In seconds since 1970; now by default.
            function: The function that logged it, if one did.
            logger: The name of the logger that it did that with.
        """
        category = f"Function.{function}.User" if function else "Function" if logger else "Host"
        if not self.levels.shows(level, category=category, logger=logger):
            return
        write = partial(self._write_log, message, level, _stamp(when))
        is_urgent = level >= logging.WARNING and self._may_write()
        is_in_trace = function and not f"{logger}.".startswith(_NEVER_EXPORTED)
        if self.is_verbose or is_urgent or not is_in_trace:
            write()
        else:
            self.folding.fold(write)

    def log_call(self, message: str, *, function: str, level: int = logging.INFO) -> None:
        """Write that a function is called or has returned; many requests' lines say it, too."""
        is_shown = self.levels.shows(level, category=f"Function.{function}")
        if is_shown and (self.is_verbose or not self.folding.is_crowded()):
            self._write_log(message, level, _stamp(None))

    def log_failure(self, traceback: str, *, function: str) -> None:
        """Write a failed function's traceback; of many requests', a few in a few seconds."""
        if not self.levels.shows(logging.ERROR, category=f"Function.{function}"):
            return
        if self.is_verbose or self._may_write():
            self._write_log(traceback, logging.ERROR, _stamp(None))

    def _may_write(self) -> bool:
        """Tell whether a warning or failure is written; of many requests', a few are."""
        return not self.folding.is_crowded() or self._allowance.take()

    def _write_log(self, message: str, level: int, stamp: str) -> None:
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
        for tree in draw_trace(trace, nothing=nothing, is_verbose=self.is_verbose):
            self.say()
            self._console.print(tree)

    def show_metrics(self, metrics: Iterable[ReceivedMetric]) -> None:
        """Write metrics, if everything is written."""
        if self.is_verbose:
            for line in self._metric_lines.lines(metrics):
                self.say(line)

    def show_requests(self, trace: Trace, *, nothing: str = "no telemetry") -> None:
        """Write a line for each request of a trace."""
        for request in trace.requests.values():
            self.say(lone_line(request, trace, nothing=nothing))


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
            self._console.log(
                self.format(record),
                level=record.levelno,
                when=record.created,
                function=str(getattr(record, "function_name", "")),  # as telemetry adds it
                logger=record.name,
            )
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


def _stamp(when: float | None) -> str:
    moment = datetime.now(timezone.utc)
    if when is not None:
        moment = datetime.fromtimestamp(when, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
