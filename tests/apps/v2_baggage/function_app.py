"""An app whose extension, registered before telemetry's, attaches baggage where it is asked to."""

import json
import logging
from collections.abc import Generator

import azure.functions as func
from opentelemetry import baggage, context, trace

from funcscope.extensions import AppExtension, Invocation
from funcscope.telemetry import tag_request


class Attaches(AppExtension):
    """Attaches baggage as long as the function runs."""

    @classmethod
    def around_invocation(cls, invocation: Invocation) -> Generator[None]:
        """Attach what the query asks for."""
        request = invocation.args["req"]
        wanted = getattr(request, "params", {}).get("attach")
        token = None
        if wanted:
            token = context.attach(baggage.set_baggage("by", wanted))
        try:
            yield
        finally:
            if token is not None:
                context.detach(token)


import funcscope.auto  # noqa: E402, F401

app = func.FunctionApp()


def _seen() -> str:
    with trace.get_tracer("app").start_as_current_span("inner"):
        return json.dumps(dict(baggage.get_all()))


@app.route("seen")
def seen(req: func.HttpRequest) -> str:
    """Return the baggage that is current."""
    return _seen()


@app.route("seen_later")
async def seen_later(req: func.HttpRequest) -> str:
    """Do so in a coroutine."""
    return _seen()


class Odd:
    """Cannot be told."""

    def __str__(self) -> str:
        """Fail."""
        raise ValueError


@app.route("tagged")
def tagged(req: func.HttpRequest) -> str:
    """Tag the request."""
    tag_request(order_id=17, is_new=True, note="of user=me&password=s3cret1", size=1.5)
    tag_request(order_id=18)
    tag_request(odd=Odd(), nothing=None, **{"": "nameless"})
    logging.info("tagged")
    return "ok"


@app.queue_trigger("message", "orders", "")
async def queued(message: func.QueueMessage) -> None:
    """Look at the baggage of what is no request, and fail."""
    tag_request(**{"baggage.seen": _seen()})
    logging.info("queued")
    raise ValueError("failed")
