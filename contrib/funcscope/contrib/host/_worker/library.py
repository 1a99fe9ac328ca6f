"""A library worker in this process."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from funcscope.contrib._local.app import WORKER_PACKAGES
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._worker.interpreter import check_python
from funcscope.contrib.host._worker.worker import AppWorker
from funcscope.contrib.host._worker_process.serving import enter_app

if TYPE_CHECKING:
    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._worker.protocol import Protos
    from funcscope.contrib.host._worker.worker import LoadedFunction


class LibraryWorker(AppWorker):
    """
    One of Microsoft's library workers, running one app in this process.

    A process can run one app only: workers keep their functions in module variables. `start`
    changes the working directory, `sys.path` and the environment, as the real worker does.
    """

    def __init__(self, app: FunctionApp, package: object) -> None:
        super().__init__(app)
        self._package: Any = package  # a module of Microsoft's, which has no types

    @classmethod
    def for_app(cls, app: FunctionApp) -> LibraryWorker:
        """
        Take the worker for the app's programming model.

        Raises:
            HostError: This Python has no library worker, or it is not installed.
        """
        check_python()
        name = WORKER_PACKAGES[app.model]
        try:
            package = importlib.import_module(name)
        except ImportError as error:
            raise HostError(
                f'the worker {name} cannot be imported ({error}): pip install "funcscope[host]"'
            ) from error
        return cls(app, package)

    async def start(self) -> tuple[LoadedFunction, ...]:
        """
        Import the app and load its functions.

        Raises:
            HostError: The app cannot be imported or indexed; the message has its traceback.
        """
        enter_app(str(self._app.directory))
        self._package.start_threadpool_executor()
        try:
            return await super().start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the worker's threads; blocks until the functions running on them have returned."""
        self._package.stop_threadpool_executor()

    async def _ask(self, kind: str, request: Protos) -> Protos:
        """Call the worker's function for a kind of request, as the workers' proxy does."""
        message = SimpleNamespace(
            request=self._message(kind, request),
            properties={"protos": self._protos, "host": "127.0.0.1"},
        )
        try:
            return await getattr(self._package, kind)(message)
        except SystemExit as error:
            if kind != "worker_init_request":
                raise
            exception = self._protos.RpcException(type="SystemExit", message=f"SystemExit: {error}")
            result = self._protos.StatusResult(exception=exception)
            return self._protos.WorkerInitResponse(result=result)
