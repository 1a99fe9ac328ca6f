"""The extension: it is registered when the class is defined, and runs around every invocation."""

from __future__ import annotations

import uuid

import azure.functions as func
import funcscope.auto  # first: its span is there then when this extension runs
from funcscope.extensions import AppExtension, Invocation, Step
from funcscope.telemetry import bind, tag_request

HEADER = "x-request-id"
"""The header that callers send their id in, and find it in."""


class RequestId(AppExtension):
    """
    Take a caller's request id along.

    It is an attribute of the invocation's span (`request.id`), a field of its log records
    (`request_id`), and a header of the answer where that is an `HttpResponse`. A caller that sends
    none gets a new one. Functions that no request starts are left alone.
    """

    longest = 64
    """How many characters of a caller's id are kept: it is a stranger's text."""

    @classmethod
    def around_invocation(cls, invocation: Invocation) -> Step:
        """Find the id before the function runs, and answer with it afterwards."""
        request = invocation.trigger
        if not isinstance(request, func.HttpRequest):
            yield
            return
        request_id = request.headers.get(HEADER, "")[: cls.longest] or uuid.uuid4().hex
        tag_request(**{"request.id": request_id})
        bind(request_id=request_id)
        response = yield
        if isinstance(response, func.HttpResponse):
            response.headers[HEADER] = request_id
