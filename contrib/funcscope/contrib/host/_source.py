"""An app as it is on disk at the moment, and the environment that its process gets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from funcscope.contrib.host._app import find_app

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._worker.process import WorkerSetup


class AppSource:
    """
    Reads an app whenever it is loaded.

    Args:
        app: As it was found for the first time.
        make: Says how to start the process of an app with an environment.

    Attributes:
        environment: That of the first process; what is added to it goes to the later ones, too.
    """

    def __init__(
        self, app: FunctionApp, make: Callable[[FunctionApp, Mapping[str, str]], WorkerSetup]
    ) -> None:
        self._app = app
        self._make = make
        self._is_first = True
        self.environment = _environment_of(app)
        self._before = dict(self.environment)

    def read(self) -> tuple[FunctionApp, WorkerSetup]:
        """
        Read the app, and say how to start its process.

        Raises:
            HostError: It cannot be used as it is now.
        """
        if not self._is_first:
            self._app = find_app(self._app.directory, os.environ)
        self._is_first = False
        return self._app, self._make(self._app, {**_environment_of(self._app), **self._added()})

    def _added(self) -> dict[str, str]:
        return {n: v for n, v in self.environment.items() if self._before.get(n) != v}


def _environment_of(app: FunctionApp) -> dict[str, str]:
    environment = {**os.environ}
    app.apply_values(environment)
    return environment
