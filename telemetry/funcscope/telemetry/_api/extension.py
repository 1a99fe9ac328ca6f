"""
Telemetry as an extension like any other; importing this module registers it.

That happens in the app's first import, so what records is loaded later: when the first function was
loaded, or when something is configured.
"""

from __future__ import annotations

import logging
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, cast

from funcscope.extensions import AppExtension
from funcscope.extensions.integration import Once, log_quietly, observing

if TYPE_CHECKING:
    from funcscope.extensions import Invocation
    from funcscope.telemetry._recording.recorder import Recorder

_imported_s = perf_counter()
_logger = logging.getLogger("funcscope.telemetry")

NO_TELEMETRY = (
    "no telemetry: OpenTelemetry cannot be used (%r); reinstall opentelemetry-api and "
    "opentelemetry-sdk so that their *.dist-info folders are deployed too, in one version"
)
"""Logged once, with the error; without its traceback, as the remedy is known."""
_recorders: list[Recorder] = []
_making = [Once()]


def recorder() -> Recorder:
    """Return the recorder of this process's invocations."""
    if not _recorders:
        _making[-1].do(lambda: _recorders.append(_make()))
    # Nothing is recorded by what is called while that is made.
    return _recorders[0] if _recorders else cast("Recorder", _NoRecorder())


def _make() -> Recorder:
    try:
        session = import_module("funcscope.telemetry._recording.session").Session(_imported_s)
        module = import_module("funcscope.telemetry._recording.recorder")
        return cast("Recorder", module.Recorder(session))
    except Exception as error:  # noqa: BLE001  (logged, and not tried in each invocation)
        log_quietly(_logger, logging.ERROR, NO_TELEMETRY, error)
        return cast("Recorder", _NoRecorder())


class _NoRecorder:
    """A recorder that records nothing, and its session, where OpenTelemetry cannot be used."""

    @property
    def session(self) -> _NoRecorder:
        """Return itself: a session that starts nothing."""
        return self

    def begin(self, invocation: Invocation) -> None:
        """Record no start of an invocation."""

    def end(self, *_: object) -> None:
        """Record no end of an invocation."""

    def prepare(self, function_directory: str) -> None:
        """Prepare nothing."""

    def configure(self, *_: object) -> None:
        """Ignore options."""

    def start_early(self) -> None:
        """Set no providers."""

    def start_in_child(self) -> None:
        """Record nothing in a child process, either."""


def replace_recorder(wanted: Recorder | None) -> None:
    """Replace the process's recorder; None makes a new one. For tests."""
    _recorders[:] = [] if wanted is None else [wanted]
    _making[:] = [Once()]


class TelemetryExtension(AppExtension):
    """Records every invocation of the app."""

    @classmethod
    def post_function_load_app_level(
        cls,
        function_name: str,  # noqa: ARG003  (Microsoft's signature)
        function_directory: str,
        *_args: object,
        **_kwargs: object,
    ) -> None:
        """Make ready when the app starts, not when it is called."""
        settings = recorder().session.prepare(function_directory)
        if settings and (settings.tag_response == "on" or settings.baggage_keys):
            import_module("funcscope.telemetry._api.tags").exchange(settings)

    around_invocation = staticmethod(observing(recorder))  # type: ignore[assignment]  # called alike  # pyright: ignore[reportAssignmentType]
