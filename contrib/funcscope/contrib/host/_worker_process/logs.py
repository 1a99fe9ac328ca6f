"""Log records on their way to the host."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING

from .channel import LOG

if TYPE_CHECKING:
    from .channel import Channel

_ON = frozenset({"1", "true", "yes", "t", "y"})


class ForwardingHandler(logging.Handler):
    """
    Sends records to the host.

    Args:
        channel: The way to it.
        package: The worker's package, whose own records stay out, as in `func start`: its logger is
            one that apps may use as well. `""` lets them in.
    """

    def __init__(self, channel: Channel, package: str) -> None:
        super().__init__()
        self._channel = channel
        self._package = package

    def filter(self, record: logging.LogRecord) -> bool:
        """Refuse the worker's own records."""
        is_workers = bool(self._package) and self._package in record.pathname
        return not is_workers and bool(super().filter(record))

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record; a process that the app has forked prints it."""
        try:
            text = self.format(record)
            if self._channel.is_closed:
                print(text, file=sys.stderr)
            else:
                self._channel.send(LOG, _encode(record, text))
        except Exception:  # noqa: BLE001 -- what logging.Handler asks of emit
            self.handleError(record)


def _encode(record: logging.LogRecord, text: str) -> bytes:
    content = {
        "created": record.created,
        "level": record.levelno,
        "logger": record.name,
        "text": text,
        "function": str(getattr(record, "function_name", "")),  # as funcscope.telemetry adds it
    }
    return json.dumps(content).encode()


def forward_logs(channel: Channel, package: str, *, is_verbose: bool) -> None:
    """
    Send the root logger's records to the host, from INFO on, as a deployed worker does.

    `PYTHON_ENABLE_DEBUG_LOGGING` makes that DEBUG, as there (azure-functions-runtime 1.3.0,
    `handle_event.py`).
    """
    root = logging.getLogger()
    root.addHandler(ForwardingHandler(channel, "" if is_verbose else package))
    debugs = os.environ.get("PYTHON_ENABLE_DEBUG_LOGGING", "").strip().lower() in _ON
    root.setLevel(logging.DEBUG if debugs else logging.INFO)
    if is_verbose:
        logging.getLogger("azure.functions").setLevel(logging.DEBUG)
