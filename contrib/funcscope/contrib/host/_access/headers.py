"""
The headers that `host.json` adds to every answer.

Source: azure-functions-host, `CustomHttpHeadersMiddleware.cs`: a header that an answer has already
stays as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

from funcscope.contrib._local.errors import raised_as
from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from funcscope.contrib._local.host_json import HostJson

_PLACE = ("extensions", "http", "customHeaders")
_is_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_match_unsendable = re.compile(r"[^\t\x20-\x7e]").search


def custom_headers(host_json: HostJson) -> dict[str, str]:
    """
    Return the headers that an app adds to its answers.

    Raises:
        HostError: One cannot be sent, or is no text.
    """
    with raised_as(HostError):
        names = host_json.section(*_PLACE)
        headers = {name: host_json.text(*_PLACE, name, default="") for name in names}
    try:
        return {name: sendable(name, value) for name, value in headers.items()}
    except ValueError as error:
        raise HostError(f"{host_json.path}: in {'.'.join(_PLACE)!r}, {error}") from error


def sendable(name: str, value: str) -> str:
    """
    Return a header's value; names and values are checked as the host's web server does.

    Raises:
        ValueError: It cannot be sent.
    """
    if not _is_token(name):
        raise ValueError(f"{name!r} is no name for a header")
    if character := _match_unsendable(value):
        raise ValueError(f"the header {name!r} holds the character {character[0]!r}")
    return value


def with_headers(application: ASGIApp, headers: Mapping[str, str]) -> ASGIApp:
    """Add headers to all answers of an application that do not have them."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = MutableHeaders(scope=message)
                for name, value in headers.items():
                    own.setdefault(name, value)
            await send(message)

        await application(scope, receive, send_with_headers)

    return serve if headers else application
