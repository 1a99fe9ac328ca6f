"""Where one signal is sent over OTLP/HTTP, as the environment says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from funcscope.telemetry._config.options import read_number
from funcscope.telemetry._config.proxy import (
    Proxies,
    Proxy,
    basic_authorization,
    split_url,
)
from funcscope.telemetry._errors import TelemetryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

SIGNALS = ("traces", "logs", "metrics")
DEFAULT_ENDPOINT = "http://localhost:4318"
DEFAULT_TIMEOUT_S = 10.0
COMPRESSIONS = ("none", "gzip", "deflate")

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_OF_THE_BODY = {"content-encoding", "content-length", "transfer-encoding"}
_MILLISECONDS_FROM = 1000  # 17 minutes: more than a request may take, or an invocation by default
_MOST_MILLISECONDS = 24 * 3600 * 1000  # a day

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_BAD_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
_BAD_IN_URL = re.compile(r"[\x00-\x20\x7f]|[^\x00-\x7f]")


class Origin(NamedTuple):
    """
    A server to connect to; signals with the same one share the connection.

    Attributes:
        scheme: `http` or `https`.
        host: Its name or address.
        port: Its port.
        certificate: A PEM file, or a folder, with the authorities to trust; empty: the system's.
        client_certificate: A PEM file to show; empty for none.
        client_key: The PEM file with its key; empty where the certificate's file has it.
        proxy: What to go through.
        proxies: What else there is to go through, where a redirect leads elsewhere.
    """

    scheme: str
    host: str
    port: int
    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""
    proxy: Proxy | None = None
    proxies: Proxies = Proxies()

    def at(self, url: SplitResult) -> Origin:
        """
        Return the server of a URL, to be spoken to in the same way.

        Raises:
            TelemetryError: Its proxy's URL is not one that can be used.
        """
        host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        proxy = self.proxies.find(url.scheme, host, port)
        return self._replace(scheme=url.scheme, host=host, port=port, proxy=proxy)

    @property
    def authority(self) -> str:
        """The host and port, as in a URL and in `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == (443 if self.scheme == "https" else 80)
        return host if is_default else f"{host}:{self.port}"


class OtlpTarget(NamedTuple):
    """
    Where and how one signal is sent.

    Attributes:
        signal: `traces`, `logs` or `metrics`.
        origin: The server.
        path: The path to post to, with its query.
        headers: Names in lower case, and values; they may hold secrets.
        timeout_s: How long one request may take, all of it.
        compression: `none`, `gzip` or `deflate`.
    """

    signal: str
    origin: Origin
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = DEFAULT_TIMEOUT_S
    compression: str = "none"

    def __repr__(self) -> str:
        """Leave out the path's query and the headers, which may be secret."""
        return f"OtlpTarget({self.signal!r}, {self.endpoint!r})"

    @property
    def endpoint(self) -> str:
        """The URL for people to read, without what may be secret."""
        return f"{self.origin.scheme}://{self.origin.authority}{self.path.partition('?')[0]}"


def read_target(signal: str, environ: Mapping[str, str], problems: list[str]) -> OtlpTarget:
    """
    Read where a signal is sent, as the OTLP exporter specification (1.50) names the settings.

    Headers that are not URL-encoded are taken as they are where they hold a space, as
    OpenTelemetry Python does it (SDK 1.45).

    Args:
        signal: `traces`, `logs` or `metrics`.
        environ: The app settings.
        problems: Gets a sentence for each setting that is wrong and can be done without: the
            timeout and the compression have their defaults then; and for a timeout that is taken
            to be in milliseconds.

    Raises:
        TelemetryError: Another setting has a value that cannot be used; the message names it.
    """
    if signal not in SIGNALS:
        raise TelemetryError(f"signal {signal!r} is not known: use one of {', '.join(SIGNALS)}")
    settings = OtlpVariables(signal, environ)
    url, name = _read_endpoint(settings)
    headers = _read_headers(settings, problems)
    if url.username and "authorization" not in headers:
        user, password = unquote(url.username), unquote(url.password or "")
        headers["authorization"] = basic_authorization(user, password)
    return OtlpTarget(
        signal,
        _read_origin(url, settings, environ),
        _request_path(url, name),
        tuple(headers.items()),
        _read_timeout(settings, problems),
        _read_compression(settings, problems),
    )


class OtlpVariables:
    """
    Reads `OTEL_EXPORTER_OTLP_<SIGNAL>_<NAME>`, else `OTEL_EXPORTER_OTLP_<NAME>`.

    Args:
        signal: One of `SIGNALS`.
        environ: The app settings.
    """

    def __init__(self, signal: str, environ: Mapping[str, str]) -> None:
        self.signal = signal
        self._environ = environ

    def read(self, name: str) -> tuple[str, str]:
        """Return the setting that counts, and its value; empty where it is not set."""
        names = self.own_name(name), f"OTEL_EXPORTER_OTLP_{name}"
        for candidate in names:
            if text := self._environ.get(candidate, "").strip():
                return candidate, text
        return names[1], ""

    def own_name(self, name: str) -> str:
        """Name the setting of the signal alone."""
        return f"OTEL_EXPORTER_OTLP_{self.signal.upper()}_{name}"


def _read_endpoint(settings: OtlpVariables) -> tuple[SplitResult, str]:
    """Take the signal's endpoint as it is, and add the signal's path to the general one."""
    name, text = settings.read("ENDPOINT")
    url = split_url(text or DEFAULT_ENDPOINT)
    if url is None or url.scheme not in ("http", "https"):
        raise TelemetryError(f"{name} is not a URL to send to: write http://host:port or https://…")
    if name != settings.own_name("ENDPOINT"):
        url = url._replace(path=f"{url.path.removesuffix('/')}/v1/{settings.signal}")
    return url, name


def _request_path(url: SplitResult, name: str) -> str:
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    if _BAD_IN_URL.search(path + (url.hostname or "")):
        raise TelemetryError(f"{name} has characters that no URL may have: percent-encode them")
    return path


def _read_origin(url: SplitResult, settings: OtlpVariables, environ: Mapping[str, str]) -> Origin:
    origin = Origin(url.scheme, "", 0, proxies=Proxies.read(environ)).at(url)
    is_secure = url.scheme == "https"
    if is_secure or (origin.proxy is not None and origin.proxy.scheme == "https"):
        origin = origin._replace(certificate=_read_authorities(settings, environ))
    if is_secure and (certificate := _read_file(*settings.read("CLIENT_CERTIFICATE"))):
        key = _read_file(*settings.read("CLIENT_KEY"))
        origin = origin._replace(client_certificate=certificate, client_key=key)
    return origin


def _read_authorities(settings: OtlpVariables, environ: Mapping[str, str]) -> str:
    """Read whom to trust; requests' settings serve where OpenTelemetry's is not set."""
    candidates = [settings.read("CERTIFICATE")]
    candidates += [(name, environ.get(name, "").strip()) for name in _BUNDLES]
    return next((_read_file(name, text) for name, text in candidates if text), "")


def _read_file(setting: str, text: str) -> str:
    if text and not _is_there(text):
        raise TelemetryError(f"{setting}={text!r} is not there: give the path of a PEM file")
    return text


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # it may not be looked at, or is too long for a path
        return False


def _read_headers(settings: OtlpVariables, problems: list[str]) -> dict[str, str]:
    """Read `name=value` pairs; values are not shown in errors, for they hold keys."""
    setting, text = settings.read("HEADERS")
    headers: dict[str, str] = {}
    for number, pair in enumerate(text.split(","), 1):
        if not pair.strip():
            continue
        name, _, value = (part.strip() for part in pair.partition("="))
        name, value = unquote(name), value if " " in value else unquote(value)
        if "=" not in pair or not _TOKEN.fullmatch(name) or _BAD_IN_VALUE.search(value):
            raise TelemetryError(
                f"{setting} is wrong in pair {number}: write name=value pairs, URL-encoded, "
                "separated by commas"
            )
        headers[name.lower()] = value
    for name in sorted(_OF_THE_BODY & headers.keys()):
        del headers[name]
        problems.append(f"{setting} names {name!r}, which is left out: it follows from the body")
    return headers


def _read_timeout(settings: OtlpVariables, problems: list[str]) -> float:
    """
    Read a timeout in seconds, or in milliseconds where it is too large for seconds.

    The specification says milliseconds (1.50); OpenTelemetry Python reads seconds, and says so in
    its documentation (SDK 1.45, its issue 4044).
    """
    setting, text = settings.read("TIMEOUT")
    if not text:
        return DEFAULT_TIMEOUT_S
    timeout_s = read_number(text, float, 0, _MOST_MILLISECONDS)
    if timeout_s and timeout_s >= _MILLISECONDS_FROM:
        timeout_s /= 1000
        problems.append(f"{setting}={text!r} is taken as milliseconds: {timeout_s:g} seconds")
    if timeout_s:
        return timeout_s
    problems.append(f"{setting}={text!r} is not known: use a number of seconds above 0")
    return DEFAULT_TIMEOUT_S


def _read_compression(settings: OtlpVariables, problems: list[str]) -> str:
    setting, text = settings.read("COMPRESSION")
    compression = text.lower()
    if compression in COMPRESSIONS:
        return compression
    if text:
        problems.append(f"{setting}={text!r} is not known: use {', '.join(COMPRESSIONS)}")
    return COMPRESSIONS[0]
