"""The HTTP face of the local host: the app's routes, and the admin routes of Core Tools."""

from __future__ import annotations

import asyncio
import json
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route as StarletteRoute

from funcscope.contrib._local.printable import printable_line
from funcscope.contrib._local.trace_context import HostTraceContext, continue_trace
from funcscope.contrib.host._access.access import is_admin
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._serving.endpoints import http_endpoints
from funcscope.contrib.host._serving.http import loses_body, raw_path, to_response, to_typed_data
from funcscope.contrib.host._serving.outcomes import outcome_response, wants_outcome
from funcscope.contrib.host._serving.routes import Router
from funcscope.contrib.host._serving.streamed import StreamedResponse
from funcscope.contrib.host._worker.invocations import InvocationRequest, Invoker
from funcscope.contrib.host._worker.triggers import TriggerData
from funcscope.telemetry.integration import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.types import Receive, Scope, Send

    from funcscope.contrib.host._bindings.connected import StorageBindings
    from funcscope.contrib.host._retries import Retrier
    from funcscope.contrib.host._worker.worker import LoadedFunction, Outcome


class FunctionServer:
    """
    Answers requests by invoking functions.

    Args:
        functions: All functions of the app.
        route_prefix: As in `host.json`.
        invoker: What calls them.
        retrier: What calls those again that fail, if their policies say so.
        bindings: What makes the payloads of admin requests.
        inputs: By a function's name, what makes the input of an admin call of what was given.
        streams_uri: Where the worker itself serves requests; None where it does not.
    """

    def __init__(
        self,
        functions: Sequence[LoadedFunction],
        route_prefix: str,
        invoker: Invoker,
        retrier: Retrier,
        bindings: StorageBindings,
        inputs: Mapping[str, Callable[[object], object]],
        streams_uri: str | None = None,
    ) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._router = Router(http_endpoints(functions, route_prefix))
        self._invoker = invoker
        self._retrier = retrier
        self._bindings = bindings
        self._inputs = inputs
        self._streams_uri = streams_uri
        self._started_at = time.monotonic()
        self._background: set[asyncio.Task[Outcome]] = set()

    def application(self, more: Sequence[StarletteRoute] = ()) -> Starlette:
        """
        Return the ASGI application.

        Args:
            more: Routes that go before the app's own.
        """
        return Starlette(
            routes=[
                *more,
                StarletteRoute("/admin/host/status", self._status, methods=["GET"]),
                StarletteRoute("/admin/functions", self._list_functions, methods=["GET"]),
                StarletteRoute("/admin/functions/{name}", self._start_function, methods=["POST"]),
                StarletteRoute("/{path:path}", self),
            ]
        )

    async def drain(self) -> None:
        """Wait for the invocations that admin requests have started."""
        while self._background:
            await asyncio.wait(self._background)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the app's routes as an ASGI application, to which Starlette lets every method."""
        response = await self._serve(Request(scope, receive))
        await response(scope, receive, send)

    async def _serve(self, request: Request) -> Response:
        """Invoke the function whose route the request matches."""
        match = self._router.find(request.method, raw_path(request))
        if match is None or is_admin(request.scope["path"]):
            return Response(status_code=404)
        function, params = match
        call = InvocationRequest(
            function=function,
            title=printable_line(f"{request.method} {request.scope['path']}"),
            data=TriggerData(
                await to_typed_data(request, params, has_body=self._streams_uri is None)
            ),
            context=_context(request),
        )
        if self._streams_uri is not None:
            return StreamedResponse(self._streams_uri, request, call, self._invoker)
        with self._invoker.observe(call) as report:
            outcome = await self._invoker.invoke(call)
            response, report.problem = _response(outcome, function)
            report.result = str(response.status_code)
            report.is_ok = response.status_code < 500
        return response

    async def _status(self, _: Request) -> Response:
        uptime_ms = int((time.monotonic() - self._started_at) * 1000)
        status = {"id": "funcscope", "state": "Running", "version": version("funcscope")}
        return JSONResponse({**status, "processUptime": uptime_ms})

    async def _list_functions(self, request: Request) -> Response:
        return JSONResponse(
            [
                {
                    "name": function.name,
                    "language": "python",
                    "href": str(request.url.replace(path=f"/admin/functions/{function.name}")),
                    "config": {"bindings": function.bindings},
                }
                for function in self._functions.values()
            ]
        )

    async def _start_function(self, request: Request) -> Response:
        """Start a function without waiting for it, as Core Tools does, unless that is asked."""
        name = request.path_params["name"]
        function = self._functions.get(name.lower())
        if function is None:
            return PlainTextResponse(f"there is no function {name!r}", 404)
        if function.trigger_type.lower() == "httptrigger":
            return PlainTextResponse(f"function {name!r} has an HTTP trigger: call its URL", 400)
        try:
            value = _admin_input(await request.body())
            if function.name in self._inputs:
                value = self._inputs[function.name](value)
            data = await self._bindings.admin_data(value, function)
        except HostError as error:
            return PlainTextResponse(str(error), 400)
        except ValueError as error:
            return PlainTextResponse(f'body is not {{"input": …}} in JSON: {error}', 400)
        call = InvocationRequest(
            function=function,
            title=f"{function.trigger_type} {function.name}",
            data=data,
            context=_context(request),
        )
        task = asyncio.create_task(self._retrier.run(call))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        if wants_outcome(request):
            # A client that goes away ends its wait, and not the invocation.
            return outcome_response(call.invocation_id, await asyncio.shield(task))
        return Response(status_code=202)


def _context(request: Request) -> HostTraceContext:
    state = ",".join(request.headers.getlist("tracestate"))
    return continue_trace(request.headers.get("traceparent", ""), state)


def _response(outcome: Outcome, function: LoadedFunction) -> tuple[Response, str]:
    """Make a response of an outcome, and say what of it could not be sent; `""` for nothing."""
    if not outcome.is_ok:
        return PlainTextResponse(redact(outcome.error), 500), ""
    value = outcome.value
    for binding in function.bindings:
        if str(binding["type"]).lower() == "http" and str(binding["name"]) in outcome.outputs:
            value = outcome.outputs[str(binding["name"])]
    try:
        response = to_response(value)
    except (ValueError, OverflowError) as error:
        problem = f"function {function.name!r} gave no valid response: {error}"
        return PlainTextResponse(problem, 500), problem
    if loses_body(response, value):
        return response, "the function's body is not sent: the status has none"
    return response, ""


def _admin_input(body: bytes) -> object:
    """Return the input of an admin request; no body means no input, as for a timer."""
    if not body.strip():
        return ""
    value: object = json.loads(body)
    if isinstance(value, dict):
        return cast("dict[str, object]", value).get("input", "")
    raise ValueError(f"it is {type(value).__name__}")
