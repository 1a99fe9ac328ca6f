"""The HTTP proxy that the environment names for a URL."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from funcscope.telemetry._errors import TelemetryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult


class Proxy(NamedTuple):
    """
    A proxy that is spoken to in plain HTTP.

    Attributes:
        host: Its name or address.
        port: Its port.
        authorization: The value of `Proxy-Authorization`; empty for none.
    """

    host: str
    port: int
    authorization: str = ""

    def __repr__(self) -> str:
        """Leave out what authorizes."""
        return f"Proxy({self.host!r}, {self.port!r})"


def proxy_for(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> Proxy | None:
    """
    Find the proxy for a host, as `urllib.request` reads `<scheme>_proxy` and `no_proxy`.

    `all_proxy` serves where there is none for the scheme, as in curl and requests.

    Args:
        scheme: `http` or `https`, of the URL to reach.
        host: The host to reach.
        port: Its port.
        environ: The app settings.

    Raises:
        TelemetryError: The proxy's URL is not one that can be used.
    """
    proxies = _proxies(environ)
    name = scheme if scheme in proxies else "all"
    if name not in proxies or _is_bypassed(host, port, proxies.get("no", "")):
        return None
    return _proxy(f"{name}_proxy", proxies[name])


def basic_authorization(user: str, password: str) -> str:
    """Make the value of an `Authorization` header from a URL's user and password."""
    credentials = f"{unquote(user)}:{unquote(password)}"
    return "Basic " + b64encode(credentials.encode()).decode()


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Read the settings; a lower-case name wins, as in `urllib.request`."""
    suffix = "_proxy"
    names = sorted(name for name in environ if name.lower().endswith(suffix))  # A-Z come first
    urls = {name.lower().removesuffix(suffix): environ[name].strip() for name in names}
    return {scheme: url for scheme, url in urls.items() if url}


def _is_bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Read `no_proxy` as `urllib.request.proxy_bypass_environment` does."""
    names = [name.strip().lstrip(".").lower() for name in no_proxy.split(",")]
    candidates = (f".{host}".lower(), f".{host}:{port}".lower())
    return "*" in names or any(
        candidate.endswith(f".{name}") for name in names if name for candidate in candidates
    )


def _proxy(setting: str, text: str) -> Proxy:
    """Read a proxy's URL, whose scheme may be left out; its password is never shown."""
    url = split_url(text if "://" in text else f"http://{text}")
    if url is None or url.scheme != "http":
        raise TelemetryError(
            f"{setting.upper()} is not the URL of a proxy that telemetry can use: "
            "write http://host:port"
        )
    authorization = basic_authorization(url.username, url.password or "") if url.username else ""
    return Proxy(url.hostname or "", url.port or 80, authorization)


def split_url(text: str) -> SplitResult | None:
    """Split a URL, if it has a host and no port that cannot be."""
    try:
        url = urlsplit(text)
        is_right = url.hostname and url.port != 0
    except ValueError:
        return None
    return url if is_right else None
