"""`funcscope run`: an app on the local host, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING

from funcscope.contrib._local.app import WORKER_PACKAGES
from funcscope.contrib.host._access.access import Access, explain_exposure, server_names
from funcscope.contrib.host._app import find_app
from funcscope.contrib.host._console.levels import ConsoleLevels, read_levels
from funcscope.contrib.host._host import LocalHost, listen, make_setup, stopping_on_signals
from funcscope.contrib.host._process_options import ProcessOptions
from funcscope.contrib.host._source import AppSource
from funcscope.contrib.host._traces.console import HostConsole, encode_safely
from funcscope.contrib.host._traces.display import showing_traces
from funcscope.contrib.host._viewing import showing_on_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._viewing import PageOptions
    from funcscope.contrib.host._worker.process import WorkerSetup

DEFAULT_PORT = 7071


def run_app(
    directory: Path,
    *,
    host: str,
    port: int | None,
    allowed_hosts: Sequence[str] = (),
    page: PageOptions | None = None,
    traces: str = "auto",
    is_verbose: bool = False,
    worker: ProcessOptions | None = None,
) -> int:
    """
    Run the app in a directory until it is stopped, and return the exit code.

    Args:
        directory: The app's.
        host: The address to listen on.
        port: 0 for a free one; None for the app's own, or the usual one.
        allowed_hosts: Names that the server has beside `host`.
        page: How to serve the trace page; None for not at all.
        traces: Which traces are shown as trees.
        is_verbose: Whether to show all that is known.
        worker: How to run the worker's process.

    Raises:
        HostError: The app or the address cannot be used; nothing has been started then.
    """
    encode_safely()
    worker = worker or ProcessOptions()
    app = find_app(directory, os.environ)
    python = worker.interpreter(app.model, os.environ)
    console = HostConsole(is_verbose=is_verbose)
    port = (app.local.port or DEFAULT_PORT) if port is None else port
    access = Access(
        server_names(host, app.settings, allowed_hosts),
        app.local.cors_origins,
        app.local.allows_credentials,
    )
    with listen(host, port) as listener:
        console.say(
            f"funcscope local host, for development and tests only: {WORKER_PACKAGES[app.model]} "
            f"on {python}",
            style="dim",
        )
        for note in worker.notes:
            console.say(note, style="dim")
        for warning in (*worker.warnings(), *explain_exposure(listener.getsockname()[0])):
            console.say(warning, style="yellow")
        imported = set[str]()

        def make(app: FunctionApp, environment: Mapping[str, str]) -> WorkerSetup:
            console.levels = ConsoleLevels(read_levels(app.host_json), is_verbose=is_verbose)
            return make_setup(environment, console, imported, worker, python.path)

        source = AppSource(app, make)
        # As Core Tools sets it: apps make URLs of their own with it.
        hostname = f"localhost:{listener.getsockname()[1]}"
        source.arrange(lambda environment: environment.setdefault("WEBSITE_HOSTNAME", hostname))
        showing = partial(
            showing_traces,
            source.environment,
            console,
            modules=imported,
            mode=traces,
            on_reload=source.arrange_later,
        )
        with showing_on_page(showing, console, page, app.directory.name) as observer:
            watched = app.directory if worker.reloads else None
            local_host = LocalHost(
                source.read, listener, console, observer, access=access, watched=watched
            )
            with stopping_on_signals(local_host.request_stop, local_host.kill):
                asyncio.run(local_host.run())
    return 0
