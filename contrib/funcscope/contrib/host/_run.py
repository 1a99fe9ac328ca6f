"""`funcscope run`: an app on the local host, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import platform
from functools import partial
from typing import TYPE_CHECKING

from funcscope.contrib._local.app import WORKER_PACKAGES
from funcscope.contrib.host._app import find_app
from funcscope.contrib.host._console.levels import levels_of
from funcscope.contrib.host._host import LocalHost, listen, make_setup, stopping_on_signals
from funcscope.contrib.host._traces.console import HostConsole, encode_safely
from funcscope.contrib.host._traces.display import showing_traces
from funcscope.contrib.host._viewing import showing_on_page

if TYPE_CHECKING:
    from pathlib import Path

    from funcscope.contrib.host._viewing import PageOptions


def run_app(
    directory: Path,
    *,
    host: str,
    port: int,
    page: PageOptions | None = None,
    traces: str = "auto",
    is_verbose: bool = False,
) -> int:
    """
    Run the app in a directory until it is stopped, and return the exit code.

    Args:
        directory: Where it is.
        host: The address to listen on.
        port: 0 for a free one.
        page: How to serve the trace page; None for not at all.
        traces: Which traces are shown as trees.
        is_verbose: Whether to show all that is known.

    Raises:
        HostError: The app or the address cannot be used; nothing has been started then.
    """
    encode_safely()
    app = find_app(directory, os.environ)
    console = HostConsole(is_verbose=is_verbose)
    with listen(host, port) as listener:
        app.apply_values(os.environ)
        console.levels = levels_of(app.directory, is_verbose=is_verbose)
        console.say(
            f"funcscope local host, for development and tests only: {WORKER_PACKAGES[app.model]} "
            f"on Python {platform.python_version()}",
            style="dim",
        )
        environment, imported = {**os.environ}, set[str]()
        showing = partial(showing_traces, environment, console, modules=imported, mode=traces)
        with showing_on_page(showing, console, page, app.directory.name) as observer:
            setup = make_setup(environment, console, imported)
            local_host = LocalHost(lambda: (app, setup), listener, console, observer)
            with stopping_on_signals(local_host.request_stop, local_host.kill):
                asyncio.run(local_host.run())
    return 0
