"""Find the worker that this process runs in, and hook it once."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import wrapt

from funcscope.extensions._errors import log_quietly
from funcscope.extensions._lifecycle.registry import registry
from funcscope.extensions._runtime import Latch
from funcscope.extensions._status import Status, WorkerStatus, read_reports
from funcscope.extensions._workers import classic as _classic
from funcscope.extensions._workers import library as _library
from funcscope.extensions._workers.fallback import Fallback, custom_runtime
from funcscope.extensions._workers.seam import Seam, worker_version

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_logger = logging.getLogger("funcscope.extensions")

_HOOKS: dict[str, Callable[[ModuleType], Seam | str]] = {
    f"{_classic.PACKAGE}.dispatcher": _classic.hook,
    **{f"{package}.functions": _library.hook for package in _library.PACKAGES},
}
"""By the module whose import makes a process that worker's: how it is hooked then."""


WORKER_MODULES = tuple(_HOOKS)
"""The modules that workers are known by."""


class _Installation:
    """The hooks of this process, by worker package."""

    def __init__(self) -> None:
        self.installed = Latch()
        self._hooked: dict[str, Seam | str] = {}
        self._fallback = Fallback(self._is_unhooked)

    def install(self) -> None:
        if not self.installed.close():
            return
        try:
            self._fallback.hook()
        except Exception:  # noqa: BLE001  (whatever it is, it is not what we know)
            what = "this azure-functions has no v2 model: unknown workers get nothing"
            log_quietly(_logger, logging.WARNING, what)
        for module in _HOOKS:
            # Calls back at once where the worker is imported already, else when it is.
            wrapt.register_post_import_hook(self._hook, module)
        wrapt.register_post_import_hook(_library.hook_proxy, _library.PROXY)

    def _hook(self, module: ModuleType) -> None:
        """Hook one worker; it goes on as if we weren't there where that fails."""
        package = module.__name__.rpartition(".")[0]
        if package in self._hooked:
            return
        try:
            self._hooked[package] = outcome = _HOOKS[module.__name__](module)
        except Exception as error:  # noqa: BLE001  (the worker goes on)
            what = "worker %s could not be hooked"
            log_quietly(_logger, logging.ERROR, what, package, error=error)
            self._hooked[package] = outcome = repr(error)
        if isinstance(outcome, str):
            log_quietly(
                _logger,
                logging.WARNING,
                "worker %s %s does not fit: %s; extensions run for functions of the v2 model "
                "alone, without the context that a function does not ask for: update funcscope",
                package,
                worker_version(package),
                outcome,
            )

    def _is_unhooked(self) -> bool:
        """Whether a worker runs here and no registry of any is hooked."""
        if any(isinstance(outcome, Seam) for outcome in self._hooked.values()):
            return False
        return bool(self._hooked) or custom_runtime() is not None

    def status(self) -> Status:
        workers = [self._worker_status(p, o) for p, o in sorted(self._hooked.items())]
        runtime = custom_runtime()
        if runtime is not None and self._fallback.functions:
            version = worker_version(runtime)
            workers.append(WorkerStatus(runtime, version, "get_functions", None, self._fell_back))
        python = ".".join(map(str, sys.version_info[:3]))
        return Status(tuple(workers), registry.describe(), python, read_reports())

    def _worker_status(self, package: str, outcome: Seam | str) -> WorkerStatus:
        if isinstance(outcome, Seam):
            names = tuple(sorted(outcome.functions))
            return WorkerStatus(package, outcome.version, "registry", None, names)
        seam = "get_functions" if self._fell_back else None
        return WorkerStatus(package, worker_version(package), seam, outcome, self._fell_back)

    @property
    def _fell_back(self) -> tuple[str, ...]:
        return tuple(sorted(self._fallback.functions))


_installation = _Installation()


def install() -> None:
    """
    Hook the worker of this process, whether it is imported already or will be.

    From then on every registered extension runs around every invocation. Defining a subclass
    of `AppExtension` or creating a `FuncExtension` does this too; extensions written to
    Microsoft's bases alone need it. Calling it again changes nothing.
    """
    _installation.install()


def is_installed() -> bool:
    """Whether `install` was called, so that a worker is hooked when it is imported."""
    return _installation.installed.is_closed


def status() -> Status:
    """Return what is hooked in this process, and what is not and why."""
    return _installation.status()
