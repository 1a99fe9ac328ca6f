"""
Telemetry as an extension like any other; importing this module registers it.

That happens in the app's first import, so what records is loaded later: when the first function was
loaded, or when something is configured.
"""

from __future__ import annotations

import threading
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, cast

from funcscope.extensions import AppExtension
from funcscope.extensions._lifecycle import observing

if TYPE_CHECKING:
    from funcscope.telemetry._recorder import Recorder

_imported_s = perf_counter()
_lock = threading.Lock()
_recorders: list[Recorder] = []


def recorder() -> Recorder:
    """Return what records the invocations of this process."""
    if not _recorders:
        with _lock:
            if not _recorders:
                made = import_module("funcscope.telemetry._recorder").Recorder(_imported_s)
                _recorders.append(cast("Recorder", made))
    return _recorders[0]


def replace_recorder(wanted: Recorder | None) -> None:
    """Have another one record from now on, or a new one where it is None; for tests."""
    with _lock:
        _recorders[:] = [] if wanted is None else [wanted]


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
        recorder().prepare(function_directory)

    around_invocation = staticmethod(observing(recorder))  # type: ignore[assignment]  # called alike  # pyright: ignore[reportAssignmentType]
