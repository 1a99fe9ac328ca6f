"""
Who may call the local host: what keeps web pages from starting functions.

A browser lets a page send requests to this machine, and a name of the page's own may lead here
(DNS rebinding). `docs/decisions/059` says what is refused and why. Sources:
https://fetch.spec.whatwg.org/#http-origin, https://www.w3.org/TR/fetch-metadata/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from socket import gethostname
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NETLOC = r"(\[[0-9a-f:.]+\]|[^\[\]:/@?#\s]+)(?::([0-9]{1,5}))?"
_match_host = re.compile(_NETLOC, re.IGNORECASE).fullmatch
_match_origin = re.compile(rf"([a-z][a-z0-9+.-]*)://{_NETLOC}", re.IGNORECASE).fullmatch
_match_referer = re.compile(rf"([a-z][a-z0-9+.-]*)://{_NETLOC}(?=[/?#]|$)", re.IGNORECASE).match
_DEFAULT_PORTS = ("80", "443")
_JSON = re.compile(r"(application|text)/(json|[^;\s]*\+json)", re.IGNORECASE)

Caller: TypeAlias = Literal["program", "own page", "near page", "foreign page"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    Why a request is not served.

    Attributes:
        status: The HTTP status.
        reason: For people, as a whole sentence's end: `refused GET /x: …`.
    """

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Access:
    """
    What the host answers to.

    Attributes:
        names: Names that the server has beside `localhost` and addresses; one that begins with a
            period stands for all names below it, and `*` for all.
        origins: Origins whose pages may call the app, `*` for all; in lower case.
        allows_credentials: Whether these may send cookies.
    """

    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    allows_credentials: bool = False

    def knows(self, host: str) -> bool:
        """Tell whether a `Host` header names this server; an address cannot be rebound."""
        matched = _match_host(host)
        if matched is None:
            return not host
        name = matched[1].lower().rstrip(".")
        return _is_address(name) or _is_local(name) or any(_covers(n, name) for n in self.names)

    def allows(self, origin: str) -> bool:
        """Tell whether pages of an origin may call the app."""
        return "*" in self.origins or origin.lower() in self.origins

    def refuse(
        self, method: str, path: str, query: str, headers: Mapping[str, str]
    ) -> Refusal | None:
        """
        Say why a request is not served, None where it is.

        Args:
            method: In upper case.
            path: Decoded.
            query: As sent.
            headers: By names in lower case.
        """
        host = headers.get("host", "")
        if not self.knows(host):
            return Refusal(403, f"{host!r} is no name of this server: pass --allow-host for it")
        caller = _caller(headers)
        if is_admin(path):
            return _refuse_admin(caller, method, query, headers)
        if caller != "foreign page" or _is_link(method, headers):
            return None
        origin = _origin(headers)
        if origin and self.allows(origin):
            return None
        return Refusal(
            403,
            f"it comes from a page of {origin or 'another site'}: "
            "name its origin in 'CORS' of 'Host' in local.settings.json",
        )


def _refuse_admin(
    caller: Caller, method: str, query: str, headers: Mapping[str, str]
) -> Refusal | None:
    if caller in ("near page", "foreign page"):
        origin = _origin(headers) or "another site"
        return Refusal(403, f"it comes from a page of {origin}: no page may use /admin")
    content_type = headers.get("content-type", "")
    is_plain = not content_type and caller == "program"  # a browser tells the origin of a POST
    if method != "POST" or is_plain or _JSON.match(content_type) or _has_key(query, headers):
        return None
    return Refusal(415, "/admin takes JSON: send the header Content-Type: application/json")


def _has_key(query: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a function key is sent; which one does not matter, as with Core Tools."""
    return bool(headers.get("x-functions-key") or re.search(r"(?:^|&)code=[^&]", query))


def _caller(headers: Mapping[str, str]) -> Caller:
    """
    Tell what sends a request.

    A near page is one of this machine's, such as a development server's on another port.
    """
    origin, site = headers.get("origin", ""), headers.get("sec-fetch-site", "").lower()
    if not origin and not site:
        return "program"
    if origin and origin != "null":
        return _caller_of(origin, headers.get("host", ""), site)
    # Privacy settings of the page's own may take its origin away: then only the browser's word is.
    known: dict[str, Caller] = {"same-origin": "own page", "same-site": "near page"}
    if site == "none" and not origin:
        return "own page"  # typed, or a bookmark
    return known.get(site, "foreign page")


def _caller_of(origin: str, host: str, site: str) -> Caller:
    its, ours = _match_origin(origin), _match_host(host)
    if its is None:
        return "foreign page"
    name, port = its[2].lower(), its[3] or ""
    own_name, own_port = (ours[1].lower(), ours[2] or "") if ours else ("", "")
    if name == own_name and _port(port) == _port(own_port) and site != "cross-site":
        return "own page"
    if _is_local(name) or _is_loopback(name) or name == own_name or site == "same-site":
        return "near page"
    return "foreign page"


def _origin(headers: Mapping[str, str]) -> str:
    """Return the origin of the page that sends a request, of an image's, too; `""` if unknown."""
    origin = headers.get("origin", "")
    if origin and origin != "null":
        return origin
    matched = _match_referer(headers.get("referer", ""))
    return matched[0] if matched else origin


def _is_link(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether somebody follows a link or a redirection, as of a sign-in, to the app."""
    mode, target = headers.get("sec-fetch-mode", ""), headers.get("sec-fetch-dest", "document")
    return method in ("GET", "HEAD") and mode == "navigate" and target == "document"


def is_admin(path: str) -> bool:
    """Tell whether a path is below `/admin`, which is the host's own (`WebJobsRouter`)."""
    parts = [part for part in path.lower().split("/") if part]
    return parts[:1] == ["admin"]


def _port(port: str) -> str:
    return "" if port in _DEFAULT_PORTS else port


def _is_local(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost")


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_address(name) and ip_address(name.strip("[]")).is_loopback


def _covers(known: str, name: str) -> bool:
    known = known.lower().rstrip(".")
    if known.startswith("."):
        return name.endswith(known) or name == known[1:]
    return known in ("*", name)


def server_names(
    host: str, settings: Mapping[str, str], more: Iterable[str] = ()
) -> tuple[str, ...]:
    """
    Return the names of a server.

    Args:
        host: Where it listens; on all addresses, the machine's own name is one, too.
        settings: App settings; `WEBSITE_HOSTNAME` is the app's name.
        more: What else it may be called.
    """
    names = [host, *more]
    if _is_address(host) and ip_address(host).is_unspecified:
        names += [gethostname(), f"{gethostname()}.local"]
    if matched := _match_host(settings.get("WEBSITE_HOSTNAME", "")):
        names.append(matched[1])
    return tuple(names)


def explain_exposure(address: str) -> tuple[str, ...]:
    """Say what it means to listen on an address; nothing where only this machine reaches it."""
    if _is_loopback(address):
        return ()
    warning = "whoever reaches this machine can start functions, as no keys are checked here"
    return (f"listening on {address}: {warning}",)
