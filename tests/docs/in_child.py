"""
What runs the pages' Python, in processes of its own, forked from one that has it imported.

So what takes longest, the imports of the worker and of OpenTelemetry, is done once for all pages.
"""

from __future__ import annotations

import asyncio
import os
import re
import runpy
import sys
import uuid
import warnings
from pathlib import Path
from typing import Any

import opentelemetry.sdk._logs
import opentelemetry.sdk.metrics
import opentelemetry.sdk.trace  # noqa: F401 -- with the worker, what each app would import
from tests.integration.driver import Protobuf, shut_down

from funcscope.contrib.host import TriggerData, find_app, function_rpc, trigger_data

Calls = dict[str, Any]  # JSON: by function, a path or an input
OF_DURABLE = {"orchestrationTrigger", "activityTrigger", "entityTrigger", "durableClient"}


def run_app(folder: str, printed: str, calls: Calls) -> None:
    """Load an app and call each of its functions once; the exit code tells whether all is well."""
    begin(folder, printed)
    if problems := asyncio.run(call_all(folder, calls)):
        raise SystemExit("\n".join(problems))


def run_module(folder: str, printed: str, code: str) -> None:
    """Execute a module; the exit code tells whether all is well."""
    begin(folder, printed)
    Path("snippet.py").write_text(code)
    runpy.run_path("snippet.py", run_name="snippet")
    shut_down()


def begin(folder: str, printed: str) -> None:
    """Make a folder and a file for what is printed those of the process; warnings are errors."""
    for stream in (1, 2):
        os.dup2(os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    warnings.simplefilter("error")
    os.chdir(folder)
    sys.path.insert(0, folder)


async def call_all(folder: str, calls: Calls) -> list[str]:
    """Do `run_app`, in a worker's event loop."""
    session = Protobuf(find_app(Path(folder), os.environ))
    await session.start()
    problems = list(session.worker.problems)
    problems += [f"{name} is no function of the app" for name in calls.keys() - session.functions]
    for function in session.functions.values():
        if OF_DURABLE.isdisjoint(str(binding["type"]) for binding in function.bindings):
            problems += await call(session, function, calls.get(function.name))
    await asyncio.to_thread(shut_down)
    session.stop()
    return problems if session.functions else [*problems, "there is no function in the app"]


async def call(session: Protobuf, function: Any, given: Any) -> list[str]:
    """Call a function, and return what failed; `given` is a path of HTTP, or an input."""
    invocation_id = str(uuid.uuid4())
    is_http = function.trigger_type == "httpTrigger"
    if is_http:
        path, params = address(str(function.trigger.get("route") or function.name), given)
        sent = request(function.trigger, path, params)
    else:
        sent = trigger_data({"id": 17} if given is None else given, function.trigger)
    streamed = None
    if is_http and session.worker.http_uri:
        parts = {"id": invocation_id, "stream": path}
        streamed = asyncio.create_task(asyncio.to_thread(session.forward, parts))
    outcome = await session.worker.invoke(
        function,
        {str(function.trigger["name"]): sent.value},
        invocation_id=invocation_id,
        trace_parent=f"00-{'a' * 32}-{'b' * 16}-01",
        metadata=sent.metadata,
    )
    if streamed is not None:
        await streamed
    if not outcome.is_ok:
        return [f"{function.name}: {outcome.stack_trace}"]
    status = int(outcome.value.http.status_code or 200) if is_http and outcome.value else 200
    return [f"{function.name}: {path} is answered with {status}"] if status >= 500 else []


def address(route: str, given: str | None) -> tuple[str, dict[str, str]]:
    """Return the path for a route, and what stands for its parameters: `17` if nothing is given."""
    names = [name.lstrip("*").split(":")[0].rstrip("?") for name in re.findall("{(.+?)}", route)]
    path = re.sub("{.+?}", "17", route) if given is None else given
    found = re.fullmatch(
        re.sub(r"\{\*.+?\}", "(.*)", re.sub(r"\{[^*].*?\}", "([^/]+)", route)), path
    )
    if found is None:
        raise ValueError(f"{path!r} is no path of the route {route!r}")
    return f"/api/{path}", dict(zip(names, found.groups(), strict=True))


def request(trigger: Any, path: str, params: dict[str, str]) -> TriggerData:
    """Make an HTTP request, by the first of the trigger's methods."""
    protos = function_rpc()
    method = next(iter(trigger.get("methods") or ["GET"]))
    http = protos.RpcHttp(
        method=str(method).upper(),
        url=f"https://app.net{path}",
        params=params,
        body=protos.TypedData(bytes=b""),
    )
    return TriggerData(protos.TypedData(http=http))
