"""
OTLP in JSON, which OpenTelemetry's SDKs for JavaScript send.

It is protobuf's JSON mapping but for ids, which are hexadecimal instead of base64, and for fields
that a receiver does not know, which it ignores
(https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, cast

from google.protobuf.json_format import ParseDict, ParseError

from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

_IDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")


def parse_json(body: bytes, message: Message) -> None:
    """
    Read a request in JSON into an empty message of its kind.

    Raises:
        HostError: The body is not what belongs to the message.
    """
    try:
        data = _fields(json.loads(body).items())
        ParseDict(data, message, ignore_unknown_fields=True)
    except (ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise HostError(f"body is not {type(message).__name__} in JSON: {error}") from error


def _fields(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Return the fields of an object, with ids as protobuf wants them."""
    return {key: _base64(each) if key in _IDS else _plain(each) for key, each in pairs}


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        return _fields(cast("dict[str, object]", value).items())
    return value


def _base64(digits: object) -> str:
    return b64encode(bytes.fromhex(str(digits or ""))).decode()
