"""An app as it is on disk at the moment, and the environment that its process gets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from funcscope.contrib.host._app import find_app

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._worker.process import WorkerSetup


class AppSource:
    """
    Reads an app whenever it is loaded.

    Args:
        app: As it was found for the first time.
        make: Says how to start the process of an app with an environment.

    Attributes:
        environment: That of the process to start.
    """

    def __init__(
        self, app: FunctionApp, make: Callable[[FunctionApp, Mapping[str, str]], WorkerSetup]
    ) -> None:
        self._app = app
        self._make = make
        self._is_first = True
        self.environment = _environment_of(app)
        self._arrangements: list[Callable[[MutableMapping[str, str]], object]] = []

    def arrange(self, arrange: Callable[[MutableMapping[str, str]], object]) -> None:
        """Change the environment of the process to start next, and of all after it."""
        arrange(self.environment)
        self.arrange_later(arrange)

    def arrange_later(self, arrange: Callable[[MutableMapping[str, str]], object]) -> None:
        """Change the environments of the processes after the next one."""
        self._arrangements.append(arrange)

    def read(self) -> tuple[FunctionApp, WorkerSetup]:
        """
        Read the app, and say how to start its process.

        Raises:
            HostError: It cannot be used as it is now.
        """
        if not self._is_first:
            self._app = find_app(self._app.directory, os.environ)
            self.environment = _environment_of(self._app)
            for arrange in self._arrangements:
                arrange(self.environment)
        self._is_first = False
        return self._app, self._make(self._app, self.environment)


def _environment_of(app: FunctionApp) -> dict[str, str]:
    environment = {**os.environ}
    app.apply_values(environment)
    return environment
