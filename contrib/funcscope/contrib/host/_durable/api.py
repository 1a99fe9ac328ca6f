"""
The HTTP API of the Durable extension, for clients in functions and for people.

Paths, parameters and statuses: Microsoft's page "HTTP API reference" of Durable Functions, and what
`DurableOrchestrationClient.py` of azure-functions-durable 1.7 expects.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from funcscope.contrib._local.trace_context import HostTraceContext, continue_trace
from funcscope.contrib.host._durable.instance import Instance, is_json, parsed
from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from funcscope.contrib.host._durable.hub import TaskHub

PREFIX = "/runtime/webhooks/durabletask"
_ID = "INSTANCEID"  # clients replace it by an instance's id
_MANAGEMENT = {
    "statusQueryGetUri": "",
    "sendEventPostUri": "/raiseEvent/{eventName}",
    "terminatePostUri": "/terminate?reason={text}",
    "rewindPostUri": "/rewind?reason={text}",
    "purgeHistoryDeleteUri": "",
    "restartPostUri": "/restart",
    "suspendPostUri": "/suspend?reason={text}",
    "resumePostUri": "/resume?reason={text}",
}


def client_text(base_url: str) -> str:
    """
    Return what a function's `durableClient` binding gives it.

    Args:
        base_url: Where the host is served.
    """
    base = f"{base_url}{PREFIX}"
    creation = f"{base}/orchestrators/{{functionName}}[/{{instanceId}}]"
    return json.dumps(
        {
            "taskHubName": "TestHubName",
            "creationUrls": {
                "createNewInstancePostUri": creation,
                "createAndWaitOnNewInstancePostUri": creation,
            },
            "managementUrls": {"id": _ID, **_links(base, _ID)},
            "rpcBaseUrl": f"{base}/",
        }
    )


def _links(base: str, instance_id: str) -> dict[str, str]:
    return {name: f"{base}/instances/{instance_id}{rest}" for name, rest in _MANAGEMENT.items()}


class DurableApi:
    """
    Answers requests about orchestrations and entities.

    Args:
        hub: Where they are.
    """

    def __init__(self, hub: TaskHub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        """Return all routes."""
        start, one = "/orchestrators/{name}", "/instances/{id}"
        return [
            Route(f"{PREFIX}{path}", answer, methods=[method])
            for path, method, answer in (
                (start, "POST", self._start),
                (f"{start}/{{id}}", "POST", self._start),
                ("/instances", "GET", self._list),
                ("/instances/", "GET", self._list),
                ("/instances", "DELETE", self._purge_many),
                ("/instances/", "DELETE", self._purge_many),
                (one, "GET", self._of_instance(self._show)),
                (one, "DELETE", self._of_instance(self._purge)),
                (f"{one}/raiseEvent/{{name}}", "POST", self._of_instance(self._raise)),
                (f"{one}/terminate", "POST", self._of_instance(self._terminate)),
                (f"{one}/suspend", "POST", self._of_instance(self._suspend)),
                (f"{one}/resume", "POST", self._of_instance(self._resume)),
                (f"{one}/restart", "POST", self._of_instance(self._restart)),
                (f"{one}/rewind", "POST", self._rewind),
                ("/entities/{name}/{key}", "GET", self._show_entity),
                ("/entities/{name}/{key}", "POST", self._signal),
            )
        ]

    def _of_instance(
        self, answer: Callable[[Request, Instance], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def find(request: Request) -> Response:
            instance = self._hub.find(request.path_params["id"])
            if instance is None:
                return Response(status_code=404)
            return await answer(request, instance)

        return find

    async def _start(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not self._hub.functions.has("orchestrationTrigger", name):
            names = self._hub.functions.names("orchestrationTrigger")
            problem = f"there is no orchestrator {name!r}; there are: {names}"
            return JSONResponse({"ExceptionMessage": problem, "Message": problem}, 400)
        try:
            instance = self._hub.start(
                name,
                await _body(request),
                instance_id=request.path_params.get("id"),
                context=_context(request),
            )
        except HostError as error:
            return _failed(error)
        links = _links(_base(request), instance.id)
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": "10"}
        return JSONResponse({"id": instance.id, **links}, 202, headers)

    async def _list(self, request: Request) -> Response:
        return JSONResponse([i.described() for i in self._chosen(request)])

    def _chosen(self, request: Request) -> list[Instance]:
        query = request.query_params
        statuses = {s for s in query.get("runtimeStatus", "").split(",") if s}
        since, until = query.get("createdTimeFrom", ""), query.get("createdTimeTo", "9999")
        return [
            instance
            for instance in self._hub.instances
            if (not statuses or instance.status in statuses)
            and since[:19] <= instance.created[:19] <= until[:19]
            and instance.id.startswith(query.get("instanceIdPrefix", ""))
        ]

    async def _show(self, request: Request, instance: Instance) -> Response:
        shown = instance.described(
            has_history=request.query_params.get("showHistory", "").lower() == "true",
            has_input=request.query_params.get("showInput", "true").lower() == "true",
        )
        if instance.has_ended:
            return JSONResponse(shown)
        place = str(request.url.replace(query=""))
        return JSONResponse(shown, 202, {"Location": place, "Retry-After": "1"})

    async def _purge(self, _: Request, instance: Instance) -> Response:
        count = self._hub.purge([instance])
        return JSONResponse({"instancesDeleted": count}, 200 if count else 404)

    async def _purge_many(self, request: Request) -> Response:
        count = self._hub.purge(self._chosen(request))
        return JSONResponse({"instancesDeleted": count}, 200 if count else 404)

    async def _raise(self, request: Request, instance: Instance) -> Response:
        if instance.has_ended:
            return Response(status_code=410)
        text = await _body(request) or "null"
        self._hub.raise_event(instance, request.path_params["name"], text)
        return Response(status_code=202)

    async def _terminate(self, request: Request, instance: Instance) -> Response:
        return self._change(
            instance,
            lambda: self._hub.terminate(instance, request.query_params.get("reason", "")),
        )

    async def _suspend(self, _: Request, instance: Instance) -> Response:
        return self._change(instance, lambda: self._hub.suspend(instance))

    async def _resume(self, _: Request, instance: Instance) -> Response:
        return self._change(instance, lambda: self._hub.resume(instance))

    def _change(self, instance: Instance, change: Callable[[], None]) -> Response:
        if instance.has_ended:
            return Response(status_code=410)
        change()
        return Response(status_code=202)

    async def _restart(self, request: Request, instance: Instance) -> Response:
        is_new = request.query_params.get("restartWithNewInstanceId", "true").lower() == "true"
        try:
            again = self._hub.start(
                instance.name,
                instance.input,
                instance_id=None if is_new else instance.id,
                context=_context(request),
            )
        except HostError as error:
            return _failed(error)
        return JSONResponse(again.id, 202)

    async def _rewind(self, _: Request) -> Response:
        problem = "funcscope's local host does not rewind orchestrations: restart it"
        return JSONResponse(problem, 501)

    async def _show_entity(self, request: Request) -> Response:
        name, key = request.path_params["name"], request.path_params["key"]
        entity = self._hub.entities.find(name, key)
        if entity is None:
            return Response(status_code=404)
        return JSONResponse(parsed(entity.state))

    async def _signal(self, request: Request) -> Response:
        name, key = request.path_params["name"], request.path_params["key"]
        if not self._hub.functions.has("entityTrigger", name):
            return Response(status_code=404)
        operation, text = request.query_params.get("op", ""), await _body(request)
        self._hub.entities.send(f"@{name}@{key}", operation, text, _context(request))
        return Response(status_code=202)


def _failed(error: HostError) -> Response:
    """Answer as the extension does where its storage refuses something."""
    return JSONResponse({"Message": str(error), "ExceptionMessage": str(error)}, 500)


async def _body(request: Request) -> str | None:
    """
    Return a body's JSON, None where there is no body.

    The SDK's clients send JSON as a string of JSON (`post_async_request`), people as it is.
    """
    text = (await request.body()).decode()
    inner = parsed(text)
    if isinstance(inner, str) and is_json(inner):
        return inner
    return text or None


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{PREFIX}"


def _context(request: Request) -> HostTraceContext:
    state = ",".join(request.headers.getlist("tracestate"))
    return continue_trace(request.headers.get("traceparent", ""), state)
