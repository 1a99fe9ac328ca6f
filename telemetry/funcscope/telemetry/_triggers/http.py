"""
HTTP triggers: semantic conventions 1.44, HTTP server spans.

Of headers, those that the settings name are recorded; never a body.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast
from urllib.parse import urlsplit

import azure.functions as func

from funcscope.extensions.integration import AttributeReader
from funcscope.telemetry._redaction.redactor import DEFAULT
from funcscope.telemetry._triggers.extractor import (
    DescribedSnapshot,
    InvocationOutcome,
    TriggerExtractor,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from funcscope.extensions import Binding, Function, Invocation
    from funcscope.telemetry._redaction.redactor import Redactor
    from funcscope.telemetry._semconv import Attributes

_Headers: TypeAlias = "Mapping[str, str] | Iterable[tuple[str, str]]"
# Method, URL, user agent, client, and headers where the settings name some.
_RequestFields: TypeAlias = "tuple[object, object, str | None, str | None, Mapping[str, str]]"
_request = AttributeReader("url", "headers")
_status = AttributeReader("status_code")
_APART = "\0"  # no request has it, in whatever place
_AGENT, _CLIENT = "user-agent", "x-forwarded-for"
_METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
_OTHER = "_OTHER"
_NO_VALUES: Mapping[str, str] = {}
_PLAIN = {"$return": "http"}  # what most functions put out, and no more
_SERVER_ERROR = 500
_LONG = 800  # characters of a request that are kept, to know one like it
_PORTS = {"http": 80, "https": 443}

HTTP_SOURCES = (
    ("faas.trigger", "`http`"),
    ("http.request.method", "`req.method`; `_OTHER` where no standard has it"),
    ("http.route", "host.json `routePrefix` and the binding's `route`; a web framework's template"),
    (
        "http.response.status_code",
        "`response.status_code`; 500 after an exception or a refused result",
    ),
    ("url.scheme", "`req.url`"),
    ("url.path", "`req.url`"),
    ("url.query", "`req.url`, secrets redacted"),
    ("server.address", "`req.url`"),
    ("server.port", "`req.url`"),
    ("user_agent.original", "header `user-agent`"),
    ("client.address", "header `x-forwarded-for`, its first address"),
)
"""The attributes of an HTTP trigger, and where they come from."""


class HttpExtractor(TriggerExtractor):
    """
    Reads the requests of an HTTP function.

    Args:
        function: The function.
        trigger: Its trigger.
        route_prefix: host.json's `extensions.http.routePrefix`.
        headers: Which headers of requests and responses are recorded.
    """

    is_redacted = True
    # The status that the host answers with then.
    error_attributes: Attributes = {"http.response.status_code": _SERVER_ERROR}  # noqa: RUF012

    def __init__(
        self, function: Function, trigger: Binding, route_prefix: str, headers: Headers
    ) -> None:
        route = http_route(trigger, function.name, route_prefix)
        super().__init__(function, {"faas.trigger": "http", "http.route": route})
        self._parameter = trigger.name
        self._headers = headers
        self._records_request_headers = bool(headers.request)
        self._names = {method: f"{method} {route}" for method in (*_METHODS, _OTHER)}
        # Types that are taken whenever they are returned; None where nobody knows what is refused.
        self._accepted: set[type] | None = None
        if function.conversions is not None:
            is_plain = function.conversions == _PLAIN
            self._accepted = {str, func.HttpResponse} if is_plain else set()

    def snapshot(self, invocation: Invocation) -> str | _RequestFields:
        """
        Keep what name and attributes are made of: not the request, which has the body.

        One text where all are texts, as a tuple is an object more for the garbage collector, which
        runs after so many (docs/decisions/022).
        """
        argument: object = invocation.args.get(self._parameter)
        request: Any = argument
        try:
            read = _request.known(type(argument)) or _request.inspect(type(argument))
            url, headers = read(request)
            method = request.method
            # The dict in azure.functions' headers, which ask it in Python
            # (`_http.py`, 1.20 to 2.3).
            get = headers.__http_headers__.get
            if not self._records_request_headers:
                return _APART.join((method, url, get(_AGENT) or "", get(_CLIENT) or ""))
        except (AttributeError, TypeError):  # another framework's request, or none
            method, url = getattr(request, "method", None), getattr(request, "url", None)
            headers = getattr(request, "headers", _NO_VALUES)
            get = headers.get
        recorded = headers if self._records_request_headers else _NO_VALUES
        return method, url, get(_AGENT), get(_CLIENT), recorded

    def span_name(self, snapshot: object) -> str:
        """Return the request's method and its function's route."""
        if isinstance(snapshot, DescribedSnapshot):
            return snapshot.name
        return self._names[_method(_fields_of(snapshot)[0])]

    def attributes(self, snapshot: object) -> Attributes:
        """Return the request's attributes; its query's secret parameters are replaced."""
        if isinstance(snapshot, DescribedSnapshot):
            return snapshot.attributes
        method, url, agent, client, headers = _fields_of(snapshot)
        attributes: Attributes = {}
        if method is not None and url is not None:
            redact = self._headers.redactor.redact
            attributes["http.request.method"] = _method(method)
            attributes.update(_url_attributes(str(url), redact))
            if agent:
                attributes["user_agent.original"] = redact(agent)
            if client:
                attributes["client.address"] = _without_port(client.split(",")[0].strip())
        return attributes | self._headers.of_request(headers)

    def cache_key(self, snapshot: object) -> str | None:
        """Return the text of a request, unless it is too long to be kept."""
        return snapshot if type(snapshot) is str and len(snapshot) <= _LONG else None

    def metric_attributes(self, invocation: Invocation) -> Attributes:
        """Return what the request's metrics must have: its method and its scheme."""
        request = invocation.trigger
        scheme = str(getattr(request, "url", "")).partition("://")[0].lower()
        if scheme not in _PORTS:
            return {}
        return _metric_attributes(_method(getattr(request, "method", None)), scheme)

    def outcome(self, invocation: Invocation, result: object) -> InvocationOutcome:
        """Read the response's status, or why the worker refuses it."""
        if self._accepted is not None and type(result) not in self._accepted:
            refusal = self._refusal(invocation, result)
            if refusal is not None:
                return refusal
        response = _output(self.function, invocation) if result is None else result
        try:
            read = _status.known(type(response)) or _status.inspect(type(response))
            outcome = _known_outcomes.get(read(response)) or http_outcome(response)
        except (AttributeError, TypeError):  # a plain value, or none; a code that is no number
            outcome = http_outcome(response)
        if not self._headers.response:
            return outcome
        headers = cast("Mapping[str, str]", getattr(response, "headers", {}))
        attributes = {**outcome.attributes, **self._headers.of_response(headers)}
        return InvocationOutcome(attributes, outcome.error_type)


def _fields_of(snapshot: object) -> _RequestFields:
    if not isinstance(snapshot, str):
        return cast("_RequestFields", snapshot)
    method, url, agent, client = snapshot.split(_APART, maxsplit=3)
    return method, url, agent, client, _NO_VALUES


def http_route(trigger: Binding, function_name: str, prefix: str) -> str:
    """Return the route template as the host serves it: prefix, then route or function name."""
    route = str(trigger.settings.get("route") or function_name)
    return "/" + "/".join(part.strip("/") for part in (prefix, route) if part.strip("/"))


@lru_cache(maxsize=64)
def _metric_attributes(method: str, scheme: str) -> Attributes:
    return {"http.request.method": method, "url.scheme": scheme}


def http_outcome(response: object) -> InvocationOutcome:
    """Read a response's status code: from 500 on it is an error, 4xx is the client's."""
    status = getattr(response, "status_code", None)
    if status is None:
        # A plain value is a body: 200; nothing at all is 204 (WebJobs.Script's HttpBinding).
        status = 204 if response is None else 200
    if not isinstance(status, int):
        try:
            status = int(status)
        except (TypeError, ValueError):
            return InvocationOutcome({})
    outcome = _outcome(int(status))
    if status in _CODES:
        _known_outcomes[int(status)] = outcome
    return outcome


_CODES = range(100, 600)
_known_outcomes: dict[int, InvocationOutcome] = {}


def _outcome(code: int) -> InvocationOutcome:
    attributes: Attributes = {"http.response.status_code": code}
    return InvocationOutcome(attributes, str(code) if code >= _SERVER_ERROR else None)


def _url_attributes(url: str, redact: Callable[[str], str]) -> Attributes:
    start = url.find("://")
    end = url.find("/", start + 3)
    base = url[:end]
    if start < 1 or end < 0 or "?" in base or "#" in base or not url.isprintable():
        try:
            parts = urlsplit(url)
        except ValueError:
            return {}
        base, path, query = f"{parts.scheme}://{parts.netloc}", parts.path or "/", parts.query
        needs_origin = bool(parts.netloc)
    else:
        # What comes before the path is the same for most requests, and takes longest to take apart.
        path, _, query = url[end:].partition("#")[0].partition("?")
        needs_origin = True
    origin = _origin(base)
    if needs_origin and not origin:
        return {}
    attributes: Attributes = {**origin, "url.path": redact(path)}
    if query:
        attributes["url.query"] = redact(query)
    return attributes


@lru_cache(maxsize=64)
def _origin(base: str) -> Attributes:
    """Return the attributes of what stands before a URL's path; none where that is no URL."""
    try:
        parts = urlsplit(base)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return {}
    attributes: Attributes = {"url.scheme": parts.scheme}
    if parts.hostname:
        attributes["server.address"] = parts.hostname
        if port:
            attributes["server.port"] = port
    return attributes


def _method(method: object) -> str:
    if method in _METHODS:
        return str(method)
    upper = str(method).upper()
    return upper if upper in _METHODS else _OTHER


def _output(function: Function, invocation: Invocation) -> object:
    """Find the response of a function that returns none: on an `Out` bound to HTTP."""
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


class Headers(NamedTuple):
    """
    Which headers are recorded, and how.

    Attributes:
        request: Names of request headers, in lower case.
        response: Names of response headers, in lower case.
        redactor: Takes secrets out of them.
    """

    request: tuple[str, ...] = ()
    response: tuple[str, ...] = ()
    redactor: Redactor = DEFAULT

    def of_request(self, headers: _Headers) -> dict[str, tuple[str, ...]]:
        """
        Return `http.request.header.<name>` for the headers that are named and there, redacted.

        Args:
            headers: By name or in pairs; names in any case. One that is a secret goes whole, of
                others what their text holds.
        """
        return self._attributes("http.request.header.", headers, self.request)

    def of_response(self, headers: _Headers) -> dict[str, tuple[str, ...]]:
        """Return `http.response.header.<name>`, as `of_request` does."""
        return self._attributes("http.response.header.", headers, self.response)

    def _attributes(
        self, prefix: str, headers: _Headers, names: tuple[str, ...]
    ) -> dict[str, tuple[str, ...]]:
        if not names:
            return {}
        # azure.functions' and werkzeug's are mappings by what they do only.
        items: Callable[[], Iterable[tuple[str, str]]] | None = getattr(headers, "items", None)
        pairs = cast("Iterable[tuple[str, str]]", headers) if items is None else items()
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            key = name.lower()
            if key in names:
                values.setdefault(key, []).append(str(self.redactor.redact_value(key, str(value))))
        return {prefix + key: tuple(values[key]) for key in names if key in values}


NO_HEADERS = Headers()
