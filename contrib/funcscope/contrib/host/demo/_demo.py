"""Running the demo: start the host, send the requests, wait for the traces, judge."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from funcscope.contrib.host._app import find_app
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._host import LocalHost, listen, make_setup, stopping_on_signals
from funcscope.contrib.host._traces.console import HostConsole, encode_safely
from funcscope.contrib.host._traces.display import showing_traces
from funcscope.contrib.host._traces.store import TelemetryStore
from funcscope.contrib.host.demo._expected import STEPS, Step, missing

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from funcscope.contrib.host._traces.traces import HostRequest

_APP = Path(__file__).parent / "app"
_TIME_LIMIT_S = 20.0
# Settings of the user's own apps would send the demo's telemetry elsewhere.
_USERS = ("OTEL_", "FUNCSCOPE_", "PYTHON_", "APPLICATIONINSIGHTS_", "AzureWebJobs", "FUNCTIONS_")
_LEFT_ALONE = ("PYTHON_GIL",)

_OWN_APP = """\
Two lines for an app of your own:

    requirements.txt    the wheel that `make wheel` writes (docs/how-to/install.md)
    function_app.py     import funcscope.auto

and the setting OTEL_EXPORTER_OTLP_ENDPOINT says where traces, metrics and logs go.
Try it here first: funcscope run YOUR_APP_DIR
"""


class _Visitor:
    """Sends the demo's requests from a thread, waits for their telemetry, and stops the host."""

    def __init__(self, host: LocalHost, requests: list[HostRequest], store: TelemetryStore) -> None:
        self.problems: list[str] = []
        self._host = host
        self._requests = requests
        self._store = store
        self._thread = threading.Thread(target=self._visit, name="demo-visitor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _visit(self) -> None:
        deadline = time.monotonic() + _TIME_LIMIT_S
        try:
            for step in STEPS:
                self._send(step, timeout_s=max(0.1, deadline - time.monotonic()))
            self._wait(timeout_s=max(0.1, deadline - time.monotonic()))
        except (OSError, HTTPException) as error:
            self.problems.append(f"the host did not answer: {error!r}")
        finally:
            self._host.request_stop()

    def _send(self, step: Step, *, timeout_s: float) -> None:
        port = urlsplit(self._host.base_url).port
        connection = HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        try:
            connection.request("GET" if step.body is None else "POST", step.path, step.body)
            status = connection.getresponse().status
        finally:
            connection.close()
        if status != step.status:
            self.problems.append(f"{step.title}: answered {status} instead of {step.status}")

    def _wait(self, *, timeout_s: float) -> None:
        def is_complete(store: TelemetryStore) -> bool:
            return not missing(STEPS, self._requests, store)

        try:
            self._store.wait_for(is_complete, timeout_s=timeout_s)
        except HostError:
            return  # what is missing is listed in the end: stopping the host may bring it


def run_demo() -> int:
    """
    Run the sample app, show its traces, and return 0 if all that belongs to them arrived.

    Raises:
        HostError: The host cannot start.
    """
    encode_safely()
    environment, imported = {**os.environ}, set[str]()
    _forget_settings(environment)
    app, console, store = find_app(_APP, {}), HostConsole(), TelemetryStore()
    console.say(f"Running {_APP / 'function_app.py'} on Microsoft's library worker", style="bold")
    with (
        listen("127.0.0.1", 0) as listener,
        showing_traces(
            environment, console, on_batch=store.add, modules=imported, mode="all"
        ) as observer,
    ):
        requests: list[HostRequest] = []

        def observe(request: HostRequest) -> None:
            requests.append(request)
            observer(request)

        setup = make_setup(environment, console, imported)
        host = LocalHost(lambda: (app, setup), listener, console, observe)
        visitor = _Visitor(host, requests, store)
        with stopping_on_signals(host.request_stop, host.kill):
            asyncio.run(host.run(on_ready=visitor.start))
    problems = [*visitor.problems, *missing(STEPS, requests, store)]
    return _conclude(problems, console)


def _conclude(problems: list[str], console: HostConsole) -> int:
    console.say()
    for problem in problems:
        console.say(f"missing: {problem}", style="red")
    if problems:
        return 1
    console.say("All spans and log lines arrived.", style="bold green")
    console.say()
    console.say(_OWN_APP)
    return 0


def _forget_settings(environment: MutableMapping[str, str]) -> None:
    for name in [n for n in environment if n.startswith(_USERS) and n not in _LEFT_ALONE]:
        del environment[name]
