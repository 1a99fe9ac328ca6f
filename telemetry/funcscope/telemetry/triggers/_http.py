"""HTTP triggers: semantic conventions 1.44, HTTP server spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind

from funcscope.telemetry._headers import NO_HEADERS, Headers
from funcscope.telemetry.triggers._description import Attributes, Description, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.extensions import Binding, Function, Invocation

_METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
_SERVER_ERROR = 500
_PORTS = {"http": 80, "https": 443}

HTTP_SOURCES = (
    ("faas.trigger", "`http`"),
    ("http.request.method", "`req.method`; `_OTHER` where no standard has it"),
    ("http.route", "host.json `routePrefix`, then binding `route` or the function's name"),
    ("http.response.status_code", "`response.status_code`; 500 after an exception"),
    ("url.scheme", "`req.url`"),
    ("url.path", "`req.url`"),
    ("url.query", "`req.url`, secrets redacted"),
    ("server.address", "`req.url`"),
    ("server.port", "`req.url`"),
    ("user_agent.original", "header `user-agent`"),
    ("client.address", "header `x-forwarded-for`, its first address"),
)
"""The attributes of an HTTP trigger, and where they come from."""


class Request(Protocol):
    """What we read of `azure.functions.HttpRequest`."""

    @property
    def method(self) -> str:
        """The method, in upper case."""
        ...

    @property
    def url(self) -> str:
        """The whole URL, function keys included."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names match in any case."""
        ...


def describe(
    function: Function, trigger: Binding, route_prefix: str, headers: Headers = NO_HEADERS
) -> Description:
    """Describe the invocations of an HTTP function."""
    route = http_route(trigger, function.name, route_prefix)

    def attributes(invocation: Invocation) -> Attributes:
        given = cast("Mapping[str, str]", getattr(invocation.trigger, "headers", {}))
        return {
            **http_attributes(invocation, headers.redactor.redact),
            **headers.of_request(given),
        }

    def name(invocation: Invocation) -> str:
        return f"{_method(invocation.trigger)} {route}"

    def result(invocation: Invocation, returned: object) -> Outcome:
        response = _response(function, invocation, returned)
        outcome = http_outcome(response)
        given = cast("Mapping[str, str]", getattr(response, "headers", {}))
        return Outcome({**outcome.attributes, **headers.of_response(given)}, outcome.error_type)

    return Description(
        kind=SpanKind.SERVER,
        constants={"faas.trigger": "http", "http.route": route},
        name=name,
        attributes=attributes,
        result=result,
        failure=lambda _error: {"http.response.status_code": _SERVER_ERROR},
    )


def http_route(trigger: Binding, function_name: str, prefix: str) -> str:
    """Return the route template as the host serves it: prefix, then route or function name."""
    route = str(trigger.settings.get("route") or function_name)
    return "/" + "/".join(part.strip("/") for part in (prefix, route) if part.strip("/"))


def http_attributes(invocation: Invocation, redact: Callable[[str], str]) -> Attributes:
    """Describe a request; its query is there with the values of secret parameters replaced."""
    request = invocation.trigger
    if not hasattr(request, "url") or not hasattr(request, "method"):
        return {}
    request = cast("Request", request)
    attributes: Attributes = {"http.request.method": _method(request)}
    attributes.update(_url_attributes(str(request.url), redact))
    if agent := request.headers.get("user-agent"):
        attributes["user_agent.original"] = redact(agent)
    if client := request.headers.get("x-forwarded-for"):
        attributes["client.address"] = _without_port(client.split(",")[0].strip())
    return attributes


def http_outcome(response: object) -> Outcome:
    """Read a response's status code: from 500 on it is an error, 4xx is the client's."""
    status = getattr(response, "status_code", None)
    if status is None:
        # A plain value is a body: 200; nothing at all is 204 (WebJobs.Script's HttpBinding).
        status = 204 if response is None else 200
    try:
        code = int(status)
    except (TypeError, ValueError):
        return Outcome({})
    attributes: Attributes = {"http.response.status_code": code}
    return Outcome(attributes, str(code) if code >= _SERVER_ERROR else None)


def _url_attributes(url: str, redact: Callable[[str], str]) -> Attributes:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return {}
    attributes: Attributes = {"url.scheme": parts.scheme, "url.path": redact(parts.path or "/")}
    if parts.query:
        attributes["url.query"] = redact(parts.query)
    if parts.hostname:
        attributes["server.address"] = parts.hostname
        if port:
            attributes["server.port"] = port
    return attributes


def _method(request: object) -> str:
    method = str(getattr(request, "method", "")).upper()
    return method if method in _METHODS else "_OTHER"


def _response(function: Function, invocation: Invocation, returned: object) -> object:
    """Find the response: what was returned, or what was set on an `Out` bound to HTTP."""
    if returned is not None:
        return returned
    for binding in function.bindings:
        if binding.type == "http" and binding.name in invocation.args:
            get = getattr(invocation.args[binding.name], "get", None)
            return get() if callable(get) else None
    return None


def _without_port(address: str) -> str:
    """Take the port off an address as App Service's front end writes it: `1.2.3.4:5678`."""
    host, separator, port = address.rpartition(":")
    if separator and port.isdigit() and (":" not in host or host.endswith("]")):
        return host.strip("[]")
    return address.strip("[]")
