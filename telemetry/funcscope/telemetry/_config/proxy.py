"""The proxy that the environment names for a URL."""

from __future__ import annotations

from base64 import b64encode
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from funcscope.telemetry._errors import TelemetryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

_PORTS = {
    "http": 80,
    "https": 443,
    **dict.fromkeys(("socks4", "socks4a", "socks5", "socks5h"), 1080),
}


class Proxy(NamedTuple):
    """
    A proxy.

    Attributes:
        host: Its name or address.
        port: Its port.
        user: Whom to say that we are; empty for nobody.
        password: The user's.
        scheme: `http` or `https`, or a version of SOCKS, with an `h` or `a` where the proxy looks
            up names.
    """

    host: str
    port: int
    user: str = ""
    password: str = ""
    scheme: str = "http"

    def __repr__(self) -> str:
        """Leave out what authorizes."""
        return f"Proxy({self.url!r})"

    @property
    def url(self) -> str:
        """The URL, without what authorizes."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """What an HTTP proxy wants to see."""
        if not self.user:
            return {}
        return {"proxy-authorization": basic_authorization(self.user, self.password)}


class Proxies(NamedTuple):
    """
    The proxies that the environment names.

    `all` serves where there is none for a scheme, as in curl and requests.

    Attributes:
        urls: By scheme of the URL to reach.
        bypass: `no_proxy`.
    """

    urls: tuple[tuple[str, str], ...] = ()
    bypass: str = ""

    def __repr__(self) -> str:
        """Leave out all of it, for URLs hold passwords."""
        return "Proxies()"

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Proxies:
        """Read `<scheme>_proxy`; a lower-case name wins, as in `urllib.request`."""
        suffix = "_proxy"
        names = sorted(name for name in environ if name.lower().endswith(suffix))  # A-Z come first
        urls = {name.lower().removesuffix(suffix): environ[name].strip() for name in names}
        bypass = urls.pop("no", "")
        return cls(tuple((scheme, url) for scheme, url in urls.items() if url), bypass)

    def find(self, scheme: str, host: str, port: int) -> Proxy | None:
        """
        Find the proxy for a host.

        Args:
            scheme: `http` or `https`, of the URL to reach.
            host: The host to reach.
            port: Its port.

        Raises:
            TelemetryError: The proxy's URL is not one that can be used.
        """
        urls = dict(self.urls)
        name = scheme if scheme in urls else "all"
        if name not in urls or _is_bypassed(host, port, self.bypass):
            return None
        return _read_proxy(f"{name}_proxy", urls[name])


def basic_authorization(user: str, password: str) -> str:
    """Make the value of an `Authorization` header."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _is_bypassed(host: str, port: int, bypass: str) -> bool:
    """Read `no_proxy` as requests does (2.34), and networks and ports of IPv6, too."""
    names = [name.lstrip(".").lower() for name in bypass.replace(" ", "").split(",")]
    hosts = (host, f"[{host}]") if ":" in host else (host,)
    candidates = [f".{each}{end}".lower() for each in hosts for end in ("", f":{port}")]
    return "*" in names or any(
        _is_in_network(host, name)
        if "/" in name
        else any(candidate.endswith(f".{name}") for candidate in candidates)
        for name in names
        if name
    )


def _is_in_network(host: str, network: str) -> bool:
    from ipaddress import ip_address, ip_network  # 1 ms of a cold start

    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


def _read_proxy(setting: str, text: str) -> Proxy:
    """Read a proxy's URL, whose scheme may be left out; its password is never shown."""
    url = split_url(text if "://" in text else f"http://{text}")
    if url is None or url.scheme not in _PORTS:
        raise TelemetryError(
            f"{setting.upper()} is not the URL of a proxy that telemetry can use: "
            f"write http://host:port, or with one of {', '.join(_PORTS)}"
        )
    if url.scheme.startswith("socks") and find_spec("socks") is None:
        raise TelemetryError(
            f"{setting.upper()} names a SOCKS proxy, which needs a package that is not installed: "
            'pip install "funcscope[socks]"'
        )
    user, password = unquote(url.username or ""), unquote(url.password or "")
    return Proxy(url.hostname or "", url.port or _PORTS[url.scheme], user, password, url.scheme)


def split_url(text: str) -> SplitResult | None:
    """Split a URL, if it has a host and no port that cannot be."""
    try:
        url = urlsplit(text)
        is_right = url.hostname and url.port != 0
    except ValueError:
        return None
    return url if is_right else None
