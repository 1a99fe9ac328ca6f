"""
The webhooks that Event Grid delivers to: its trigger's, and that of blobs with it as their source.

Sources: azure-sdk-for-net, `HttpRequestProcessor.cs` (both handshakes, both schemas),
`EventGridExtensionConfigProvider.cs` and `BlobsExtensionConfigProvider.cs`; the answer to `OPTIONS`
is that of its pull request 21612 and issue 47175.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, TypeAlias, cast

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from funcscope.contrib._local.payloads import parse
from funcscope.contrib._local.trace_context import continue_trace
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._worker.invocations import InvocationRequest
from funcscope.contrib.host._worker.triggers import trigger_data
from funcscope.telemetry.integration import redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from funcscope.contrib.host._listeners.listener import RunningApp
    from funcscope.contrib.host._worker.worker import LoadedFunction

    Take: TypeAlias = Callable[[Request, Mapping[str, object]], Awaitable[str]]

_PATH = "/runtime/webhooks/{extension}"
_METHODS = ("GET", "POST", "DELETE", "OPTIONS")
_ID = "host.functions."


class EventGridWebhooks:
    """
    Answers Event Grid, or who does as it does.

    Args:
        running: The app; its `blob_events` take the events of blobs.
    """

    def __init__(self, running: RunningApp) -> None:
        self._running = running
        self._functions = {
            function.name.lower(): function
            for function in running.functions
            if function.trigger_type.lower() == "eventgridtrigger"
        }

    def routes(self) -> list[Route]:
        """Return all routes."""
        return [Route(_PATH, self._serve, methods=_METHODS)]

    async def _serve(self, request: Request) -> Response:
        extension = str(request.path_params["extension"]).lower()
        if extension not in ("eventgrid", "blobs"):
            return Response(status_code=404)
        name = request.query_params.get("functionName", "")
        take = self._find_blobs(name) if extension == "blobs" else self._find(name)
        if take is None:
            return PlainTextResponse(f"cannot find function: {name!r}", 404)
        if request.method == "OPTIONS":
            return _allow(request.headers.get("webhook-request-origin", ""))
        try:
            return await self._answer(request, name, take)
        except (ValueError, LookupError, TypeError) as error:
            return PlainTextResponse(f"the body is not what Event Grid sends: {error!r}", 400)

    def _find(self, name: str) -> Take | None:
        function = self._functions.get(name.lower())
        if function is None:
            return None

        async def take(request: Request, event: Mapping[str, object]) -> str:
            return await self._call(function, request, event)

        return take

    def _find_blobs(self, name: str) -> Take | None:
        tell = self._running.blob_events.get(name.lower().removeprefix(_ID))
        if tell is None:
            return None

        async def take(_: Request, event: Mapping[str, object]) -> str:
            try:
                await tell(event)
            except HostError as error:
                return str(error)
            return ""

        return take

    async def _answer(self, request: Request, name: str, take: Take) -> Response:
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "subscriptionvalidation":
            code = _validation_code(json.loads(await request.body()))
            self._running.console.log(f"Event Grid is answered that function {name!r} takes events")
            return JSONResponse({"validationResponse": code})
        if kind == "notification":
            content = json.loads(await request.body())
            events = cast("list[object]", content if isinstance(content, list) else [content])
            if not all(isinstance(event, dict) for event in events):
                raise TypeError("an event is no object")
            # At once, and all anew where one fails, as in the host.
            errors = await asyncio.gather(
                *(take(request, cast("dict[str, object]", event)) for event in events)
            )
            error = next(filter(None, errors), "")
            return PlainTextResponse(redact(error), 500) if error else Response(status_code=202)
        return Response(status_code=202 if kind == "unsubscribe" else 400)

    async def _call(
        self, function: LoadedFunction, request: Request, event: Mapping[str, object]
    ) -> str:
        """Call a function with an event, and return its error; `""` where it has succeeded."""
        call = InvocationRequest(
            function=function,
            title=f"{function.trigger_type} {function.name}",
            data=trigger_data(event, function.trigger),
            context=continue_trace(
                request.headers.get("traceparent", ""), request.headers.get("tracestate", "")
            ),
        )
        outcome = await self._running.retrier.run(call)
        return "" if outcome.is_ok else outcome.error or "the function failed"


def _allow(origin: str) -> Response:
    """Answer the handshake of the CloudEvents schema, which has to name who asks."""
    if not origin:
        return PlainTextResponse("the header WebHook-Request-Origin is missing", 400)
    return Response(headers={"WebHook-Allowed-Origin": origin})


def _validation_code(content: object) -> str:
    """Return the code to answer: the event is alone in a list, or one by itself as CloudEvents."""
    event = cast("dict[str, object]", content[0] if isinstance(content, list) else content)
    data = cast("dict[str, object]", parse(event["data"]))  # text within a CloudEvent
    return str(data["validationCode"])
