"""Answers that the worker's own server gives, streamed through."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import h11
from starlette.responses import PlainTextResponse, Response

from funcscope.contrib.host._serving.forwarding import Forwarding
from funcscope.telemetry.integration import redact

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from funcscope.contrib.host._worker.invocations import InvocationRequest, Invoker, RequestResult
    from funcscope.contrib.host._worker.worker import Outcome

_LEFT_TO_ANSWER_S = 5.0
_LEFT_TO_END_S = 1.0
_SERVER_ERROR = 500
_BAD_GATEWAY = 502


class StreamedResponse(Response):
    """
    The answer to a request that goes to the worker's own server while its function is invoked.

    Args:
        uri: That server's address.
        request: The request.
        call: The invocation.
        invoker: What invokes.
    """

    def __init__(
        self, uri: str, request: Request, call: InvocationRequest, invoker: Invoker
    ) -> None:
        super().__init__()
        self._call = call
        self._invoker = invoker
        self._forwarding = Forwarding(
            uri,
            request,
            {"x-ms-invocation-id": call.invocation_id, "traceparent": call.context.trace_parent},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Invoke the function, and send what comes of it as it comes."""
        with self._invoker.observe(self._call) as report:
            invoking = asyncio.create_task(self._invoker.invoke(self._call))
            opening = asyncio.create_task(self._forwarding.open())
            try:
                failed = await _failed_alone(invoking, opening)
                if failed is not None:
                    report.result = str(_SERVER_ERROR)
                    await PlainTextResponse(redact(failed.error), _SERVER_ERROR)(
                        scope, receive, send
                    )
                else:
                    await self._relay(*await opening, report, send)
            except (OSError, h11.RemoteProtocolError) as error:
                report.result = "abandoned" if self._forwarding.is_abandoned else "broken off"
                report.problem = str(error)
                if opening.done() and opening.exception() is error:
                    status, text = await _explain(invoking, error)
                    await PlainTextResponse(text, status)(scope, receive, send)
            finally:
                opening.cancel()
                await self._forwarding.close()
                await invoking

    async def _relay(
        self, status: int, headers: list[tuple[bytes, bytes]], report: RequestResult, send: Send
    ) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        async for chunk in self._forwarding.body():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        report.result, report.is_ok = str(status), status < _SERVER_ERROR


async def _explain(invoking: asyncio.Task[Outcome], error: Exception) -> tuple[int, str]:
    """Return the answer to a request that the worker's server did not answer."""
    await asyncio.wait({invoking}, timeout=_LEFT_TO_END_S)
    if invoking.done() and not invoking.result().is_ok:  # the server went with its process
        return _SERVER_ERROR, invoking.result().error
    return _BAD_GATEWAY, str(error)


async def _failed_alone(
    invoking: asyncio.Task[Outcome], opening: asyncio.Task[tuple[int, list[tuple[bytes, bytes]]]]
) -> Outcome | None:
    """Wait for an answer; return the invocation's outcome where it failed and none comes."""
    await asyncio.wait({invoking, opening}, return_when=asyncio.FIRST_COMPLETED)
    if opening.done() or invoking.result().is_ok:
        return None
    await asyncio.wait({opening}, timeout=_LEFT_TO_ANSWER_S)
    return None if opening.done() else invoking.result()
