"""An invocation's outcome as an admin request gets it that waits for it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from funcscope.contrib.host._bindings.facts import value_of
from funcscope.telemetry.integration import redact

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from funcscope.contrib.host._worker.protocol import TypedData
    from funcscope.contrib.host._worker.worker import Outcome

_PLAIN = ("string", "json", "int", "double", None)


def wants_outcome(request: Request) -> bool:
    """Tell whether a request asks to wait: `Prefer: wait`, as RFC 7240 has it, of any length."""
    preferences = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return any(each.partition(";")[0].partition("=")[0].strip() == "wait" for each in preferences)


def outcome_response(invocation_id: str, outcome: Outcome) -> Response:
    """Return an invocation's outcome in JSON, with status 200, or 500 where it has failed."""
    content = {
        "invocationId": invocation_id,
        "succeeded": outcome.is_ok,
        "error": redact(outcome.error) or None,
        "returnValue": _plain(outcome.value),
        "outputs": {name: _plain(value) for name, value in outcome.outputs.items()},
    }
    return JSONResponse(content, 200 if outcome.is_ok else 500)


def _plain(value: TypedData | None) -> object:
    """Return a value that JSON has: bytes are text where they are UTF-8, and base64 else."""
    if value is None:
        return None
    content = value_of(value)
    if not isinstance(content, bytes):
        return content if value.WhichOneof("data") in _PLAIN else str(content)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(content).decode()
