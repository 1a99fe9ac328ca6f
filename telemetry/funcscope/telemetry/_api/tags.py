"""
What an invocation's messages say of its trace, beside its arguments and its result.

`InvocationResponse.trace_context_attributes`, field 5, are texts that the host adds to the tags of
its own span (azure-functions-language-worker-protobuf#98, azure-functions-host#11575), and
`RpcTraceContext.baggage`, field 4, is its caller's baggage (…-protobuf#99, …-host#11598). The
Python workers' classes of these messages have neither field. So both are written and read as
protobuf keeps what it does not know; a worker that knows them one day reads the same.

docs/decisions/054 says why.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from funcscope.extensions import current_invocation
from funcscope.extensions.integration import Once, exchanging
from funcscope.telemetry._context import INVOCATION_SPAN
from funcscope.telemetry._logs.correlation import warn_once
from funcscope.telemetry._otlp.wire import delimited, read_fields, text_field
from funcscope.telemetry._redaction.redactor import make_redactor
from funcscope.telemetry._spans.contexts import host_baggage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span

    from funcscope.telemetry._config.settings import Settings
    from funcscope.telemetry._redaction.redactor import Redactor

_ATTRIBUTES = b"\x2a"
"""The tag of `InvocationResponse.trace_context_attributes`: field 5, an entry of a map."""
_BAGGAGE = 4
_KEY, _VALUE = 1, 2
"""The fields of any map's entry."""

_MOST_TAGS = 64
_LONGEST = 8192
"""How many characters Application Insights keeps of a property's value."""

_logger = logging.getLogger("funcscope.telemetry")
_once = Once()
_tags: dict[str, dict[str, object]] = {}
"""What goes with a response, by the id of an invocation that is not answered."""


def tag_request(**attributes: str | bool | float) -> None:
    """
    Add attributes to the running invocation's span, from wherever in it.

    With `FUNCSCOPE_TAG_RESPONSE=on` they also go to the host, as texts, which has them on its own
    span and request row; nothing of that holds where the worker has no protobuf messages. Nothing
    is raised here: what cannot be done is said once in the log.

    Args:
        attributes: Attributes by name, such as `order_id=17` or `**{"order.id": 17}`.
    """
    invocation = current_invocation()
    if invocation is None:
        warn_once("tag_request() outside an invocation tags nothing: call it in a function")
        return
    try:
        span = cast("Span | None", invocation.state.get(INVOCATION_SPAN))
        if span is not None:
            span.set_attributes(attributes)
        if (tags := _tags.get(invocation.id)) is not None:
            tags.update(attributes)
    except Exception as error:  # noqa: BLE001  (whatever a tracer raises)
        warn_once(f"tag_request() could not tag an invocation: {error!r}")


def exchange(settings: Settings) -> None:
    """Read and write the messages of invocations from now on, as the settings say; once."""
    _once.do(lambda: _exchange(settings))


def _exchange(settings: Settings) -> None:
    answers, keys = settings.tag_response == "on", settings.baggage_keys
    redactor = make_redactor(settings.redact)

    def received(request: Any) -> None:
        if answers:
            _tags[request.invocation_id] = {}
        if keys and _is_protobuf(request) and (baggage := _baggage_of(request.trace_context)):
            host_baggage[request.invocation_id] = baggage

    def answered(invocation_id: str, response: Any) -> None:
        host_baggage.pop(invocation_id, None)
        tags = _tags.pop(invocation_id, None)
        if tags and response is not None and _is_protobuf(response):
            response.MergeFromString(_attributes_field(tags, redactor))

    if not exchanging(received, answered) and answers:
        what = "FUNCSCOPE_TAG_RESPONSE does nothing on this worker: tags are on spans alone"
        _logger.warning(what)


def _is_protobuf(message: object) -> bool:
    """Tell it from R2P2's messages of HTTP streams and SDK types, which are plain objects."""
    if hasattr(message, "MergeFromString"):
        return True
    warn_once(
        "messages of invocations that are no protobuf have neither tags of a request nor a "
        "caller's baggage"
    )
    return False


def _attributes_field(tags: Mapping[str, object], redactor: Redactor) -> bytes:
    """Return entries of a map, without secrets; no more and no longer than a row has room for."""
    texts: dict[str, str] = {}
    for name, value in [*tags.items()][:_MOST_TAGS]:
        if not name or value is None:  # as on the span
            continue
        try:
            texts[name] = _text(value)
        except Exception as error:  # noqa: BLE001  (an object of the app's)
            warn_once(f"tag {name!r} does not go to the host: {type(error).__name__}")
    entries = (redactor.redact_attributes(texts) or texts).items()
    return b"".join(
        _ATTRIBUTES
        + delimited(text_field(b"\x0a", name[:_LONGEST]) + text_field(b"\x12", value[:_LONGEST]))
        for name, value in entries
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _baggage_of(trace_context: Any) -> dict[str, str]:
    """Read a host's baggage, which the message has as fields that nobody knows, or as its own."""
    entries = [
        dict(read_fields(value))
        for number, value in read_fields(trace_context.SerializeToString())
        if number == _BAGGAGE and isinstance(value, bytes)
    ]
    return {_decoded(entry, _KEY): _decoded(entry, _VALUE) for entry in entries}


def _decoded(entry: Mapping[int, int | bytes], field: int) -> str:
    value = entry.get(field)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
