"""Where signals are sent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from requests.utils import should_bypass_proxies
from scripts.snippets import text_of
from tests.sdk_versions import since

from funcscope.telemetry import TelemetryError
from funcscope.telemetry._config.otlp_target import OtlpTarget, read_target

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "OTEL_EXPORTER_OTLP_"


def read(signal: str, environ: dict[str, str]) -> OtlpTarget:
    """Read settings of which none is wrong that can be done without."""
    problems: list[str] = []
    target = read_target(signal, environ, problems)
    assert problems == []
    return target


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, "http://localhost:4318/v1/traces"),
        ({"ENDPOINT": "http://a:1"}, "http://a:1/v1/traces"),
        ({"ENDPOINT": "http://a:1/"}, "http://a:1/v1/traces"),
        ({"ENDPOINT": "http://a:1/otlp"}, "http://a:1/otlp/v1/traces"),
        ({"ENDPOINT": "http://a:1", "TRACES_ENDPOINT": "https://b/x"}, "https://b/x"),
        ({"TRACES_ENDPOINT": "http://b:2"}, "http://b:2/"),
        ({"TRACES_ENDPOINT": "http://[::1]:2/x"}, "http://[::1]:2/x"),
        ({"LOGS_ENDPOINT": "http://b:2"}, "http://localhost:4318/v1/traces"),
    ],
)
def test_endpoint(environ: dict[str, str], endpoint: str) -> None:
    """The signal's endpoint is taken as it is, and the general one gets the signal's path."""
    environ = {PREFIX + name: value for name, value in environ.items()}

    assert read("traces", environ).endpoint == endpoint


@since(45, "an exporter whose client can be looked at")
@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HEADERS": "a=b%20c,D=e=f"},
        {"HEADERS": "authorization=Basic abc%3D, x = y "},
        {"HEADERS": "a=1", "TRACES_HEADERS": "b=2"},
        {"TIMEOUT": "2.5"},
        {"TIMEOUT": "3", "TRACES_TIMEOUT": "4"},
        {"ENDPOINT": "https://a.example/x/", "COMPRESSION": "gzip"},
        {"COMPRESSION": "gzip", "TRACES_COMPRESSION": " Deflate "},
    ],
)
def test_agrees_with_the_sdk(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same settings make the SDK's exporter and ours send alike."""
    for name, value in environ.items():
        monkeypatch.setenv(PREFIX + name, value)
    ours = read("traces", {PREFIX + name: value for name, value in environ.items()})
    theirs = OTLPSpanExporter()._client
    headers = {name.lower(): value for name, value in theirs._headers.items()}
    own = ("user-agent", "content-type", "content-encoding")

    assert ours.endpoint == theirs._endpoint
    assert ours.timeout_s == theirs._timeout
    assert ours.compression == theirs._compression.value
    assert dict(ours.headers) == {name: headers[name] for name in headers if name not in own}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ENDPOINT", "collector:4318"),
        ("ENDPOINT", "http://"),
        ("ENDPOINT", "http://a:99999"),
        ("TRACES_ENDPOINT", "ftp://a"),
        ("TRACES_ENDPOINT", "http://a/b c"),
        ("HEADERS", "secret"),
        ("HEADERS", "a=b%0d%0asecret:c"),
        ("TRACES_HEADERS", "a b=secret"),
    ],
)
def test_wrong_value(setting: str, value: str) -> None:
    """A value that cannot be used is an error that names the setting, and shows no header."""
    with pytest.raises(TelemetryError, match=PREFIX + setting) as caught:
        read("traces", {PREFIX + setting: value})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("TIMEOUT", "10s"),
        ("TRACES_TIMEOUT", "0"),
        ("TIMEOUT", "inf"),
        ("TIMEOUT", "1e9"),
        ("COMPRESSION", "brotli"),
    ],
)
def test_wrong_value_that_is_not_needed(setting: str, value: str) -> None:
    """A wrong timeout or compression is named, and its default is used."""
    problems: list[str] = []
    target = read_target("traces", {PREFIX + setting: value}, problems)

    assert (target.timeout_s, target.compression) == (10.0, "none")
    (problem,) = problems
    assert problem.startswith(f"{PREFIX}{setting}={value!r} is not known: use ")


@pytest.mark.parametrize(
    ("text", "timeout_s"),
    [("10", 10.0), ("0.5", 0.5), ("300", 300.0), ("1000", 1.0), ("10000", 10.0), ("2.5e3", 2.5)],
)
def test_timeout(text: str, timeout_s: float) -> None:
    """A timeout is in seconds, or in milliseconds where nobody can mean seconds, and said so."""
    problems: list[str] = []
    name = PREFIX + "TIMEOUT"

    assert read_target("traces", {name: text}, problems).timeout_s == timeout_s
    is_said = f"{name}={text!r} is taken as milliseconds: {timeout_s:g} seconds"
    assert problems == ([is_said] if float(text) >= 1000 else [])
    assert (is_said in text_of("docs/how-to/sending.md")) == (text == "10000")


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "content-encoding"])
def test_headers_that_follow_from_the_body(name: str) -> None:
    """A header that says what the body is like is left out, and named without its value."""
    problems: list[str] = []
    target = read_target("traces", {PREFIX + "HEADERS": f"a=b,{name}=hush"}, problems)

    assert target.headers == (("a", "b"),)
    (problem,) = problems
    assert repr(name.lower()) in problem
    assert "hush" not in problem


@pytest.mark.parametrize("path", ["/none.pem", "/" + "x" * 5000])
def test_missing_certificate(path: str) -> None:
    """A certificate that is not there, or cannot be, is an error that names the setting."""
    environ = {PREFIX + "ENDPOINT": "https://a", PREFIX + "TRACES_CERTIFICATE": path}

    with pytest.raises(TelemetryError, match=f"TRACES_CERTIFICATE='{path}' is not there"):
        read("traces", environ)


def test_certificates(tmp_path: Path) -> None:
    """Certificates are read for https alone, the signal's own first."""
    files = {name: tmp_path / name for name in ("ca", "own_ca", "cert", "key")}
    for file in files.values():
        file.touch()
    environ = {
        PREFIX + "CERTIFICATE": str(files["ca"]),
        PREFIX + "TRACES_CERTIFICATE": str(files["own_ca"]),
        PREFIX + "CLIENT_CERTIFICATE": str(files["cert"]),
        PREFIX + "CLIENT_KEY": str(files["key"]),
    }
    secure = read("traces", {PREFIX + "ENDPOINT": "https://a", **environ}).origin

    assert secure.certificate == str(files["own_ca"])
    assert (secure.client_certificate, secure.client_key) == (
        str(files["cert"]),
        str(files["key"]),
    )
    assert not read("traces", environ).origin.certificate


def test_credentials_are_not_shown() -> None:
    """A user in the URL becomes a header, and neither is in what a log could show."""
    environ = {
        PREFIX + "ENDPOINT": "http://me:hush@a:1",
        PREFIX + "HEADERS": "x-key=hush",
        "HTTP_PROXY": "http://me:hush@proxy:3128",
    }
    target = read("logs", environ)

    assert dict(target.headers)["authorization"] == "Basic bWU6aHVzaA=="
    assert target.origin.proxy
    assert target.origin.proxy.headers == {"proxy-authorization": "Basic bWU6aHVzaA=="}
    for shown in (repr(target), repr(target.origin)):
        assert "hush" not in shown
        assert "bWU6aHVzaA==" not in shown
    assert "hush" not in target.endpoint


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({"http_proxy": "http://low:1", "HTTP_PROXY": "http://up:1"}, "low"),
        ({"HTTP_PROXY": "up:1"}, "up"),
        ({"all_proxy": "http://all:1"}, "all"),
        ({"https_proxy": "http://other:1"}, None),
        ({"http_proxy": "http://low:1", "NO_PROXY": "b, a.example"}, None),
        ({"http_proxy": "http://low:1", "no_proxy": "*"}, None),
    ],
)
def test_proxy(environ: dict[str, str], host: str | None) -> None:
    """The proxy is the one of the URL's scheme, unless `no_proxy` has the host."""
    proxy = read("traces", {PREFIX + "ENDPOINT": "http://x.a.example", **environ}).origin.proxy

    assert (proxy and proxy.host) == host


@given(
    host=st.text(alphabet="ab.", min_size=1, max_size=5).map(lambda text: f"h{text}h"),
    no_proxy=st.text(alphabet="abh.,:1 ", max_size=12),
)
def test_no_proxy_is_read_as_requests_does(host: str, no_proxy: str) -> None:
    """The same hosts are reached without a proxy."""
    endpoint = f"http://{host}:1"
    environ = {PREFIX + "ENDPOINT": endpoint, "http_proxy": "p:1", "no_proxy": no_proxy}

    assert (read("traces", environ).origin.proxy is None) == bool(
        should_bypass_proxies(endpoint, no_proxy=no_proxy)
    )


@pytest.mark.parametrize("proxy", ["ftp://me:hush@a:1", "socks://me:hush@a", "http://:hush@:1"])
def test_wrong_proxy(proxy: str) -> None:
    """A proxy that cannot be used is an error that names the setting, without its password."""
    with pytest.raises(TelemetryError, match=r"HTTP_PROXY .* write http://host:port") as caught:
        read("traces", {"HTTP_PROXY": proxy})
    assert "hush" not in str(caught.value)


def test_socks_proxy_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy that needs a package names the extra that has it, before anything is sent."""
    monkeypatch.setattr("sys.path", [])
    monkeypatch.delitem(sys.modules, "socks", raising=False)

    with pytest.raises(TelemetryError, match=r'HTTP_PROXY .* pip install "funcscope\[socks\]"'):
        read("traces", {"HTTP_PROXY": "socks5h://me:hush@a"})


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("a", "http://a:80"),
        ("a:1", "http://a:1"),
        ("https://a", "https://a:443"),
        ("http://[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_ports_of_proxies(text: str, url: str) -> None:
    """A proxy has the port of its scheme unless its URL has one."""
    proxy = read("traces", {"HTTP_PROXY": text}).origin.proxy

    assert proxy is not None
    assert proxy.url == url
