"""
What a span called: its peer, path, status or statement.

Source of the names: semantic conventions 1.44 for HTTP, databases, messaging and RPC, and those of
before 1.21 and 1.25 that instrumentations still use (`http.url`, `db.statement`, `net.peer.name`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from funcscope.contrib.host._console.values import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.contrib.host._traces.otlp import ReceivedSpan

_CALLING: Final = ("CLIENT", "PRODUCER")
_URLS: Final = ("url.full", "http.url")
_STATUSES: Final = ("http.response.status_code", "http.status_code", "rpc.grpc.status_code")
_STATEMENTS: Final = ("db.query.text", "db.statement", "db.query.summary", "db.operation.name")
_PEERS: Final = ("server.address", "net.peer.name", "peer.service", "network.peer.address")
_PORTS: Final = ("server.port", "net.peer.port")
_COLLECTIONS: Final = ("db.collection.name", "db.namespace", "db.name")
_DESTINATIONS: Final = ("messaging.destination.name", "messaging.destination")
_METHODS: Final = ("rpc.method",)
_MAX_STATEMENT: Final = 120
_USUAL_PORTS: Final = ("80", "443")


def called_by(span: ReceivedSpan) -> str:
    """Say what a client span called, `""` for other spans and where nothing tells."""
    if span.kind not in _CALLING:
        return ""
    attributes = span.attributes
    parts = [_target(attributes), _operand(attributes, span.name)]
    text = "  ".join(filter(None, parts))
    status = _first(attributes, _STATUSES)
    return f"{text} → {status}" if status else text


def _target(attributes: Mapping[str, object]) -> str:
    url = _first(attributes, _URLS)
    if url:
        return _without_query(url)
    host, port = _first(attributes, _PEERS), _first(attributes, _PORTS)
    path = _first(attributes, ("url.path",))
    return host + (f":{port}" if host and port and port not in _USUAL_PORTS else "") + path


def _without_query(url: str) -> str:
    """Shorten a URL to host and path: a query can hold secrets, and is long."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0]
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}" or url.partition("?")[0]


def _operand(attributes: Mapping[str, object], name: str) -> str:
    """Return the statement, table, queue or method, unless the span's name has it."""
    for names in (_STATEMENTS, _COLLECTIONS, _DESTINATIONS, _METHODS):
        text = _first(attributes, names)
        if text and text not in name:
            return one_line(text, _MAX_STATEMENT)
    return ""


def _first(attributes: Mapping[str, object], names: tuple[str, ...]) -> str:
    """Return the first of some attributes that is there, as a text of one line."""
    value = next((attributes[n] for n in names if attributes.get(n) not in (None, "")), "")
    return one_line(value)
