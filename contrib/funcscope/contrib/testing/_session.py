"""
The object of the fixture `funcscope`: one test's app, worker and telemetry.

docs/decisions/023 says why.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from funcscope.contrib.testing._captured.captured import Logs, Metrics, Spans
from funcscope.contrib.testing._captured.result import Result
from funcscope.contrib.testing._errors import TestingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from funcscope.contrib._local.app import Model
    from funcscope.contrib.testing._app import App
    from funcscope.contrib.testing._worker.call import CallResult, HostCall
    from funcscope.contrib.testing._worker.declared import AppFunction
    from funcscope.contrib.testing._worker.worker import Worker
    from funcscope.extensions.integration import Registrations

WorkerName = Literal["classic", "library"]

_NOTHING: Mapping[str, object] = {}


class Imported(NamedTuple):
    """
    An imported app, and what its import registered and configured.

    Attributes:
        app: The app.
        before: What was registered without it.
        after: What is with it.
        recorder: What it has configured; None where it records nothing.
    """

    app: App
    before: Registrations
    after: Registrations
    recorder: Any


_imported: dict[Path, Imported] = {}
"""The apps of this process: a module is imported once."""


class Funcscope:
    """
    Calls functions as a worker would, and keeps what they record.

    Args:
        root: What relative paths of apps start at.
        place: Where the app is; None for one at the root, if there is one.
        machine: The settings that pytest was started with, which are not the test's.

    Attributes:
        spans: The spans that have ended.
        logs: The log records.
        metrics: What was measured.
    """

    def __init__(self, root: Path, place: str | None, machine: Mapping[str, str]) -> None:
        from funcscope.contrib.testing._app import holds_app
        from funcscope.contrib.testing._captured.sink import sink
        from funcscope.contrib.testing._environment import CleanEnvironment
        from funcscope.extensions import integration
        from funcscope.telemetry import integration as telemetry

        self._root = root
        self._place = "." if place is None and holds_app(root) else place
        self._app: App | None = None
        self._workers: dict[tuple[str, str], Worker] = {}
        # With the function itself: the id of one that is gone is soon another's.
        self._handed_over: dict[int, tuple[object, AppFunction]] = {}
        self._below: dict[AppFunction, AppFunction] = {}
        self._has_settings = False
        self._base: Any = None  # what recorded before this test
        self._environment = CleanEnvironment(machine)
        self._extensions = integration
        self._telemetry = telemetry
        self._registered = integration.snapshot_registrations()
        self._level = logging.root.level
        self._sink = sink()
        self.logs: Logs = Logs(lambda: self._sink.logs)
        self.spans: Spans = Spans(lambda: self._sink.spans, lambda: self.logs)
        self.metrics: Metrics = Metrics(lambda: self._sink.points)

    def start(self) -> None:
        """Begin a test: import its app, with none but the test's own settings."""
        if logging.root.level > logging.INFO:
            logging.root.setLevel(logging.INFO)  # as in a deployed worker
        self._extensions.reset_cold_start()
        self._sink.start()
        self._base = self._recorder()
        self._record_like(self._base)
        if self._place is not None:
            self.use_app(self._place)
        self._sink.follow(self._telemetry.read_settings(os.environ), os.environ)

    def stop(self) -> None:
        """End a test, and undo its changes of the process."""
        for worker in self._workers.values():
            worker.stop()
        self._sink.stop()
        if self._telemetry.is_active():
            self._telemetry.replace_recorder(self._base)
        now = self._extensions.snapshot_registrations()
        self._extensions.restore_registrations(
            self._extensions.lasting_registrations(self._registered, now)
        )
        if logging.root.level == logging.INFO:
            logging.root.setLevel(self._level)
        self._environment.restore()

    def use_app(self, place: str | Path) -> None:
        """
        Call functions of this app from now on.

        Args:
            place: Its directory, or a v2 app's script; relative to pytest's root.

        Raises:
            TestingError: There is none.
        """
        from funcscope.contrib.testing._app import find_directory

        self._app = self._take_in(find_directory(str(place), self._root))
        os.environ["AzureWebJobsScriptRoot"] = str(self._app.directory)  # noqa: SIM112  (its name)

    def invoke(
        self,
        function: object,
        /,
        *args: object,
        worker: WorkerName | None = None,
        traceparent: str | None = None,
        tracestate: str = "",
        invocation_id: str | None = None,
        retry_count: int = 0,
        max_retry_count: int = 0,
        metadata: Mapping[str, object] = _NOTHING,
        check: bool = True,
        **bindings: object,
    ) -> Result:
        """
        Call a function as a worker would, and wait for its result.

        Args:
            function: Its name, or itself.
            args: The trigger, then other input bindings as the app declares them. Plain data for
                a trigger (text, bytes, JSON) is made what the function expects, as the worker
                makes it of what the host sends. An HTTP, timer or warmup trigger may be left out.
            worker: By whose rules: `classic` (Python 3.12 and earlier) or `library` (3.13 and
                later); those of the running Python if it is None.
            traceparent: The W3C trace context of the host's request; empty if the host sends
                none, a new one if it is None.
            tracestate: What goes with it.
            invocation_id: A GUID; a new one if it is None.
            retry_count: How often the host has retried this.
            max_retry_count: How often it would.
            metadata: What the host says of plain data, such as a message's `DequeueCount`.
            check: Whether what the function raises goes on, as the very same exception; else it
                is the result's `error`.
            bindings: Bindings by name, the trigger too; output bindings are made where not given.

        Raises:
            TestingError: There is no such function, a host would leave it out, or an argument of
                it is missing.
        """
        __tracebackhide__ = True
        from funcscope.contrib._local.trace_context import new_id, new_traceparent
        from funcscope.contrib.testing._worker.arguments import arguments
        from funcscope.contrib.testing._worker.call import HostCall

        declared = self._declared(function, args, bindings)
        call = HostCall(
            invocation_id=new_id() if invocation_id is None else invocation_id,
            trace_parent=new_traceparent() if traceparent is None else traceparent,
            trace_state=tracestate,
            retry_count=retry_count,
            max_retry_count=max_retry_count,
        )
        given = arguments(declared, args, bindings, metadata)
        declared = self._without_client_maker(declared, given)
        result = self._call(declared, worker or _own_worker(), call, given)
        if check and result.error is not None:
            raise result.error
        return self._result(call, result)

    def _call(
        self, declared: AppFunction, name: str, call: HostCall, given: Mapping[str, object]
    ) -> CallResult:
        self._follow_settings()
        worker = self._worker(name, declared.model)
        own = [] if self._app is None else self._app.served(os.environ)
        worker.load(own if declared in own else [declared])
        return worker.call(declared, call, given)

    def _result(self, call: HostCall, result: CallResult) -> Result:
        return Result(
            value=result.value,
            error=result.error,
            outputs=result.outputs,
            invocation_id=call.invocation_id,
            trace_id=call.trace_parent[3:35],
            all_spans=self.spans,
            all_logs=self.logs,
        )

    def _declared(
        self, function: object, args: tuple[object, ...], bindings: Mapping[str, object]
    ) -> AppFunction:
        """Return a function as its app declares it."""
        if isinstance(function, str):
            return self._needed_app().function(function, os.environ)
        if id(function) not in self._handed_over:
            declared = self._read(function, [*args, *bindings.values()])
            self._handed_over[id(function)] = function, declared
        return self._handed_over[id(function)][1]

    def _without_client_maker(
        self, declared: AppFunction, given: Mapping[str, object]
    ) -> AppFunction:
        """Return the function to call: one for all calls with a client of the test's own."""
        from funcscope.contrib.testing._worker.declared import below_client_maker

        below = below_client_maker(declared, given)
        return declared if below is declared else self._below.setdefault(declared, below)

    def _read(self, function: object, given: list[object]) -> AppFunction:
        """Read a function that a test hands over: one of its app's, or any other."""
        from azure.functions import HttpRequest

        from funcscope.contrib.testing._worker.declared import declared_function

        known = None if self._app is None else self._app.of_code(function)
        is_http = any(isinstance(argument, HttpRequest) for argument in given)
        return known or declared_function(function, is_http=is_http)

    def _needed_app(self) -> App:
        if self._app is None:
            self.use_app(".")
        assert self._app is not None  # noqa: S101  (for type checkers)
        return self._app

    def _take_in(self, path: Path) -> App:
        """Import an app, once in a process, and restore what it registered and configured."""
        mine = self._extensions.snapshot_registrations()
        before = self._registered
        if path not in _imported:
            self._extensions.restore_registrations(before)
            _imported[path] = self._import(path)
        imported = _imported[path]
        with_mine = self._extensions.merge_registrations(before, mine, self._registered)
        self._extensions.restore_registrations(
            self._extensions.merge_registrations(imported.before, imported.after, with_mine)
        )
        self._record_like(imported.recorder)
        imported.app.enter()
        return imported.app

    def _import(self, path: Path) -> Imported:
        """Import an app without the test's own registrations, as other tests use it, too."""
        self._record_like(self._base)
        try:
            app = import_module("funcscope.contrib.testing._app").import_app(path)
        finally:
            after = self._extensions.snapshot_registrations()
            recorder = self._recorder()
        self._registered = self._extensions.lasting_registrations(
            self._registered, after, but_of=app.directory
        )
        return Imported(app, self._registered, after, recorder)

    def _recorder(self) -> Any:
        """Return what records invocations; None where telemetry is not active."""
        return self._telemetry.recorder() if self._telemetry.is_active() else None

    def _record_like(self, recorder: Any) -> None:
        """Record with a new recorder, configured as another is."""
        if self._telemetry.is_active() and recorder is not None:
            self._telemetry.replace_recorder(recorder.successor(os.environ))

    def _follow_settings(self) -> None:
        """Read the settings, once, when the first function is called, as recording does."""
        if self._has_settings:
            return
        self._has_settings = True
        if (recorder := self._recorder()) is not None:
            self._sink.follow(recorder.session.read_settings(), os.environ)

    def _worker(self, name: str, model: Model) -> Worker:
        if (name, model) not in self._workers:
            from funcscope.contrib.testing._worker.library import library_rules
            from funcscope.contrib.testing._worker.rules import Classic
            from funcscope.contrib.testing._worker.worker import Worker

            if name not in ("classic", "library"):
                raise TestingError(f"worker {name!r} is not known: use 'classic' or 'library'")
            rules = Classic() if name == "classic" else library_rules(model)
            self._workers[name, model] = Worker(rules)
        return self._workers[name, model]


def _own_worker() -> WorkerName:
    return "library" if sys.version_info >= (3, 13) else "classic"
