"""
The face for integrations: names of extensions beyond those for apps.

For `funcscope.telemetry` and `funcscope.contrib`, which import from here and from
`funcscope.extensions` and from no private module, and for integrations of others. No page for
users names it; it changes only with an entry in the changelog. The parts that an app runs are
loaded with the package; those that few apps or tests alone need are loaded when they are asked for.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from funcscope.extensions._decorated import is_decorated, replace_user_function
from funcscope.extensions._errors import (
    INTERRUPTS,
    first_of,
    guarded,
    leave_out_own_frames,
    log_quietly,
    look,
    qualified_name,
    run_all,
)
from funcscope.extensions._forks import lock_of, reset_after_fork
from funcscope.extensions._getters import AttributeReader, plainest
from funcscope.extensions._invocation import (
    PartialContext,
    adopt,
    entered,
    in_flight,
    look_up_invocation,
    runs,
    trigger_metadata,
    when_adopted,
    when_idle,
)
from funcscope.extensions._lifecycle.observers import observing
from funcscope.extensions._lifecycle.registry import is_switched_off, switch
from funcscope.extensions._runtime import Latch, Once, OnceLog, run_detached, start_detached
from funcscope.extensions._status import report_with
from funcscope.extensions._workers.bindings import (
    decorated_bindings,
    read_bindings,
    strict_json,
)
from funcscope.extensions._workers.ids import WorkerIds, replace_thread_local
from funcscope.extensions._workers.install import is_installed
from funcscope.extensions._workers.library import when_stopped
from funcscope.extensions._workers.wrapping import Lifecycle

if TYPE_CHECKING:
    from funcscope.extensions._lifecycle.registrations import (
        Registrations,
        lasting_registrations,
        merge_registrations,
        reset_cold_start,
        restore_registrations,
        snapshot_registrations,
    )
    from funcscope.extensions._lifecycle.stacks import frames_in_flight
    from funcscope.extensions._workers.library import exchanging

__all__ = [
    "INTERRUPTS",
    "AttributeReader",
    "Latch",
    "Lifecycle",
    "Once",
    "OnceLog",
    "PartialContext",
    "Registrations",
    "WorkerIds",
    "adopt",
    "decorated_bindings",
    "entered",
    "exchanging",
    "first_of",
    "frames_in_flight",
    "guarded",
    "in_flight",
    "is_decorated",
    "is_installed",
    "is_switched_off",
    "lasting_registrations",
    "leave_out_own_frames",
    "lock_of",
    "log_quietly",
    "look",
    "look_up_invocation",
    "merge_registrations",
    "observing",
    "plainest",
    "qualified_name",
    "read_bindings",
    "replace_thread_local",
    "replace_user_function",
    "report_with",
    "reset_after_fork",
    "reset_cold_start",
    "restore_registrations",
    "run_all",
    "run_detached",
    "runs",
    "snapshot_registrations",
    "start_detached",
    "strict_json",
    "switch",
    "trigger_metadata",
    "when_adopted",
    "when_idle",
    "when_stopped",
]

_HOMES = {"frames_in_flight": "_lifecycle.stacks", "exchanging": "_workers.library"}


def __getattr__(name: str) -> object:
    """Load what few apps or tests alone need when it is asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "_lifecycle.registrations")
    value: object = getattr(_import_module(f"funcscope.extensions.{home}"), name)
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    """List all names, loaded or not."""
    return __all__
