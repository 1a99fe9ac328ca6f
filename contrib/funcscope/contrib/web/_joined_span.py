"""A framework's server span, made one with the invocation's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from opentelemetry.trace import Span, SpanKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import SpanContext, Status, StatusCode
    from opentelemetry.util.types import AnyValue

    from funcscope.contrib.web._served import FrameworkRequest

OWN_ATTRIBUTES = frozenset((
    "client.address", "client.port", "http.flavor", "http.host", "http.method",
    "http.request.method", "http.request.method_original", "http.response.status_code",
    "http.route", "http.scheme", "http.server_name", "http.status_code", "http.status_text",
    "http.target", "http.url", "http.user_agent", "net.host.name", "net.host.port", "net.peer.ip",
    "net.peer.name", "net.peer.port", "network.peer.address", "network.peer.port",
    "network.protocol.name", "network.protocol.version", "server.address", "server.port",
    "url.full", "url.path", "url.query", "url.scheme", "user_agent.original",
))  # fmt: skip
"""Attributes of server spans, under the names of today's conventions (1.44) and of those that the
instrumentations still default to (1.11): the invocation's has them already, secrets taken out."""

_is_route_name = re.compile(r"[A-Z_]+( /.*)?").fullmatch


class JoinedSpan(Span):
    """
    Stands for the server span of a framework, and is the invocation's.

    Hooks and the app set attributes of the invocation's span by it. Those that any server span has
    are left out, an exception on its way out is left to the invocation, and it ends with that.

    Args:
        request: The one that it is for.
    """

    kind = SpanKind.SERVER  # instrumentations capture headers for that kind alone

    def __init__(self, request: FrameworkRequest) -> None:
        self._request = request
        self._span = request.span
        request.is_joined = True

    def __getattr__(self, name: str) -> object:
        """Have what the invocation's span has, such as `attributes`."""
        return getattr(self._span, name)

    def get_span_context(self) -> SpanContext:
        """Return the invocation span's ids."""
        return self._span.get_span_context()

    def is_recording(self) -> bool:
        """Tell whether the invocation's span is recorded."""
        return self._span.is_recording()

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Set an attribute, unless the invocation's span has it itself."""
        if key not in OWN_ATTRIBUTES:
            self._span.set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Set several."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def add_event(
        self,
        name: str,
        attributes: Mapping[str, AnyValue] | None = None,
        timestamp: int | None = None,
    ) -> None:
        """Add an event."""
        self._span.add_event(name, attributes, timestamp)

    def add_link(
        self, context: SpanContext, attributes: Mapping[str, AnyValue] | None = None
    ) -> None:
        """Add a link."""
        self._span.add_link(context, attributes)

    def update_name(self, name: str) -> None:
        """Take a name, unless it is a method and a route: the invocation's span has these."""
        if not _is_route_name(name):
            self._span.update_name(name)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status."""
        self._span.set_status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, AnyValue] | None = None,
        timestamp: int | None = None,  # noqa: ARG002  (the interface's)
        escaped: bool = False,  # noqa: ARG002, FBT001, FBT002  (the interface's)
    ) -> None:
        """Record an exception, unless the app fails with it."""
        self._request.hold(exception, attributes)

    def end(self, end_time: int | None = None) -> None:
        """Go on: the invocation has not ended."""
