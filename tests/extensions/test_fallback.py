"""Workers whose registry we do not know, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from tests.patience import PROCESS_S

pytestmark = pytest.mark.library_worker  # its package brings RuntimeBase

RUNTIME = '''
import asyncio, inspect, logging, sys, types
logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stdout)
import azure.functions as func
from azurefunctions.extensions.base import RuntimeBase

class Runtime(RuntimeBase):
    """A runtime of one's own: it indexes an app, and calls functions by position."""
    runtime_name = "mine"
    def __init__(self): self.functions = {}
    def index(self, app):
        for function in app.get_functions():
            self.functions[function.get_function_name()] = function.get_user_function()
    def call(self, name, *args):
        function = self.functions[name]
        assert list(inspect.signature(function).parameters)[0] == "req"
        result = function(*args)
        return asyncio.run(result) if inspect.iscoroutinefunction(function) else result
    async def worker_init_request(self, request): ...
    async def functions_metadata_request(self, request): ...
    async def function_environment_reload_request(self, request): ...
    async def invocation_request(self, request): ...
    async def function_load_request(self, request): ...
    def start_threadpool_executor(self): ...
    def stop_threadpool_executor(self): ...
    def get_threadpool_executor(self): ...
    @property
    def invocation_id_cv(self): ...
'''

APP = """
from funcscope.extensions import AppExtension, install, status

class Spy(AppExtension):
    @classmethod
    def post_function_load_app_level(cls, name, directory, *args, **kwargs):
        print("load", name)
    @classmethod
    def around_invocation(cls, invocation):
        print("around", invocation.function_name, invocation.args, repr(invocation.id),
              invocation.trace_context, invocation.function.trigger.type)
        result = yield
        print("result", result)

app = func.FunctionApp()

@app.route("hello")
def hello(req): return f"hello {req}"

@app.route("later")
async def later(req): return f"later {req}"
"""


def run(code: str) -> list[str]:
    """Run code in a fresh interpreter and return the lines it prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROCESS_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_runtime_of_ones_own() -> None:
    """A runtime built on RuntimeBase gets extensions where it asks the app for its functions."""
    lines = run(
        RUNTIME
        + APP
        + """
runtime = Runtime()
runtime.index(app)
print(runtime.call("hello", 1), runtime.call("later", 2))
print(status().workers[0].seam, status().workers[0].functions)
"""
    )

    assert lines == [
        "load hello",
        "load later",
        "around hello {'req': 1} '' None httpTrigger",
        "result hello 1",
        "around later {'req': 2} '' None httpTrigger",
        "result later 2",
        "hello 1 later 2",
        "get_functions ('hello', 'later')",
    ]


def test_without_a_worker_functions_are_left_alone() -> None:
    """Where there is no worker, as in a unit test, an app hands over its own functions."""
    lines = run(
        "import azure.functions as func"
        + APP
        + """
functions = app.get_functions()
print(functions[0].get_user_function() is hello._function._func, status().workers)
print(type(functions[0].get_user_function()).__name__)
"""
    )

    assert lines == ["True ()", "function"]


def test_known_worker_that_has_changed() -> None:
    """A worker whose registry differs is warned of once, and v2 functions get extensions."""
    lines = run(
        """
import azure_functions_runtime.functions as functions
del functions.Registry.add_func_to_registry_and_return_funcinfo
"""
        + RUNTIME.split("class Runtime")[0].replace(
            "from azurefunctions.extensions.base import RuntimeBase", ""
        )
        + APP
        + """
install()
(hello_again, _) = app.get_functions()
print(hello_again.get_user_function()(req=1))
(worker,) = status().workers
print(worker.package, worker.seam, worker.problem)
"""
    )

    assert lines[0].startswith(
        "WARNING worker azure_functions_runtime 1.3.0 does not fit: its Registry has no "
        "add_func_to_registry_and_return_funcinfo; "
    )
    assert lines[1:] == [
        "load hello",
        "load later",
        "around hello {'req': 1} '' None httpTrigger",
        "result hello 1",
        "hello 1",
        (
            "azure_functions_runtime get_functions "
            "its Registry has no add_func_to_registry_and_return_funcinfo"
        ),
    ]


def test_function_that_calls_another() -> None:
    """A function that calls another one directly makes a plain call, as on every worker."""
    lines = run(
        RUNTIME
        + APP
        + """
@app.route("outer")
def outer(req): return "outer " + hello(req)

runtime = Runtime()
runtime.index(app)
print(runtime.call("outer", 1), hello(2))
"""
    )

    assert lines == [
        "load hello",
        "load later",
        "load outer",
        "around outer {'req': 1} '' None httpTrigger",
        "result outer hello 1",
        "outer hello 1 hello 2",
    ]
