"""
HTTP requests of orchestrators (`context.call_http`).

Asked again while the answer is 202 with a Location, as the extension does
(azure-functions-durable-extension, `TaskHttpActivityShim.cs` and `DurableOrchestrationContext.cs`).
"""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPResponse

_TIMEOUT_S = 100.0  # of .NET's HttpClient
_WAIT_S = 30.0  # where the answer does not say


async def send_request(request: Mapping[str, object]) -> dict[str, object]:
    """
    Send a request, and return the answer as an orchestrator gets it.

    Raises:
        OSError: There was no answer.
        ValueError: It needs a token of a managed identity, or its URL is none.
    """
    if request.get("tokenSource"):
        raise ValueError("a managed identity has no token here: call_http without token_source")
    answer = await asyncio.to_thread(_send, request, str(request.get("uri")))
    while answer["statusCode"] == 202 and request.get("asynchronousPatternEnabled", True):
        headers = cast("Mapping[str, str]", answer["headers"])
        place = headers.get("Location")
        if place is None:
            break
        wait = headers.get("Retry-After", "")
        await asyncio.sleep(float(wait) if wait.isdecimal() else _WAIT_S)
        answer = await asyncio.to_thread(
            _send, {**request, "method": "GET", "content": None}, place
        )
    return answer


def _send(request: Mapping[str, object], url: str) -> dict[str, object]:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is no URL of http or https")
    content = request.get("content")
    sent = urllib.request.Request(  # noqa: S310 -- its scheme has been looked at
        url,
        data=None if content is None else str(content).encode(),
        headers=dict(cast("Mapping[str, str]", request.get("headers") or {})),
        method=str(request.get("method") or "GET").upper(),
    )
    try:
        with urllib.request.urlopen(sent, timeout=_TIMEOUT_S) as response:  # noqa: S310
            return _answer(cast("HTTPResponse", response), response.status)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error, error.code)


def _answer(response: HTTPResponse | urllib.error.HTTPError, status: int) -> dict[str, object]:
    return {
        "statusCode": status,
        "headers": dict(response.headers.items()),
        "content": response.read().decode("utf-8", "replace"),
    }
