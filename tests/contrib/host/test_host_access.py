"""Web pages do not start functions, and programs do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from funcscope.contrib.host._access.access import (
    Access,
    explain_exposure,
    is_admin,
    server_names,
)
from funcscope.contrib.host._access.guard import Guard

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

EVIL = "https://evil.example"
HOST = "localhost:7071"
SELF = f"http://{HOST}"
LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
JSON = {"content-type": "application/json"}
EMBEDDED = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}


def status(
    method: str,
    headers: dict[str, str],
    path: str = "/api/x",
    *,
    query: str = "",
    access: Access | None = None,
) -> int:
    """Ask for a request, and return the status."""
    refusal = (access or Access()).refuse(method, path, query, {"host": HOST, **headers})
    return 200 if refusal is None else refusal.status


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "LOCALHOST:7071",
        "localhost.:7071",
        "app.localhost:7071",
        "127.0.0.1:7071",
        "192.168.1.5:7071",
        "[::1]:7071",
        "[fe80::1]",
        "my-laptop:7071",
        "a.tunnel.example",
        "tunnel.example",
    ],
)
def test_names_of_the_server(host: str) -> None:
    """The server answers to localhost, to addresses, which no name leads to, and to its names."""
    assert Access(names=("My-Laptop", ".tunnel.example")).knows(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7071",
        "localhost.evil.example",
        "evil-localhost",
        "127.0.0.1.evil.example",
        "eviltunnel.example",
        "my-laptop.evil.example",
        "localhost:7071@evil.example",
        "localhost:port",
        "[::1].evil.example",
        "localhost evil",
        "[not-an-address]",
    ],
)
def test_other_names(host: str) -> None:
    """Another name in `Host` is refused, with what allows it: it may be a page's, rebound."""
    access = Access(names=("my-laptop", ".tunnel.example"))

    refusal = access.refuse("GET", "/api/x", "", {"host": host})

    assert not access.knows(host)
    assert refusal
    assert refusal.status == 403
    assert "--allow-host" in refusal.reason


def test_every_name() -> None:
    """`*` allows every name."""
    assert Access(names=("*",)).knows("evil.example")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/api/x", "/admin/functions", "/"])
def test_programs(method: str, path: str) -> None:
    """A program, which tells neither an origin nor a site, is served."""
    assert status(method, {}, path) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": SELF},
        {"origin": SELF, "sec-fetch-site": "same-origin"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
)
@pytest.mark.parametrize("path", ["/api/x", "/admin/functions"])
def test_own_pages(path: str, headers: dict[str, str]) -> None:
    """A page that the app itself serves, and an address that somebody types, are served."""
    assert status("GET", headers, path) == 200
    assert status("POST", {**headers, **JSON}, path) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": EVIL},
        {"origin": EVIL, "sec-fetch-site": "cross-site"},
        {"origin": EVIL, "sec-fetch-site": "same-origin"},  # no browser's
        {"origin": "null"},
        {"origin": "null", "sec-fetch-site": "none"},
        {"origin": "http://localhost.evil.example"},
        {"origin": "http://localhost:7071.evil.example"},
        {"origin": "http://localhost:7071@evil.example"},
        {"origin": "chrome-extension://abc"},
        {"sec-fetch-site": "cross-site"},
        EMBEDDED,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize("path", ["/api/x", "/admin/functions", "/admin/functions/tick"])
def test_foreign_pages(path: str, method: str, headers: dict[str, str]) -> None:
    """A page of another site starts nothing, whatever the method, a preflight included."""
    assert status(method, headers, path) == 403


@pytest.mark.parametrize(
    ("headers", "near"),
    [
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "http://127.0.0.1:3000", "sec-fetch-site": "cross-site"}, True),
        ({"origin": "http://[::1]:3000"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"origin": "http://192.168.1.5:3000"}, False),
    ],
)
def test_pages_of_this_machine(headers: dict[str, str], near: bool) -> None:
    """A development server's page on another port calls the app, and not the admin routes."""
    expected = 200 if near else 403
    assert status("POST", {**headers, "content-type": "text/plain"}) == expected
    assert status("POST", {**headers, **JSON}, "/admin/functions/x") == 403


def test_pages_of_the_same_address() -> None:
    """A page of the address that the server is called by is as near as one of localhost."""
    headers = {"host": "192.168.1.5:7071", "origin": "http://192.168.1.5:3000"}

    assert Access().refuse("POST", "/api/x", "", headers) is None


@pytest.mark.parametrize(("method", "expected"), [("GET", 200), ("HEAD", 200), ("POST", 403)])
def test_links(method: str, expected: int) -> None:
    """A link or a redirection from another site leads to the app; a form does not, nor to admin."""
    assert status(method, LINK) == expected
    assert status(method, LINK, "/admin/functions") == 403
    assert status(method, {**LINK, "sec-fetch-dest": "iframe"}) == 403


@pytest.mark.parametrize(
    ("origins", "headers", "expected"),
    [
        (("*",), {"origin": EVIL}, 200),
        ((EVIL,), {"origin": "HTTPS://Evil.example"}, 200),
        ((EVIL,), {"origin": f"{EVIL}:8443"}, 403),
        ((EVIL,), {"origin": "https://other.example"}, 403),
        ((EVIL,), {"origin": "null"}, 403),
        ((EVIL,), {"sec-fetch-site": "cross-site", "referer": f"{EVIL}/page?x"}, 200),
        ((EVIL,), {"sec-fetch-site": "cross-site", "referer": f"{EVIL}.more/"}, 403),
    ],
)
def test_allowed_origins(origins: tuple[str, ...], headers: dict[str, str], expected: int) -> None:
    """Pages of the origins that CORS names call the app, and never the admin routes."""
    access = Access(origins=origins)

    assert status("POST", headers, access=access) == expected
    assert status("GET", headers, "/admin/functions", access=access) == 403


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ({}, "", 200),
        (JSON, "", 200),
        ({"content-type": "Application/JSON; charset=utf-8"}, "", 200),
        ({"content-type": "application/cloudevents+json"}, "", 200),
        ({"content-type": "text/plain"}, "", 415),
        ({"content-type": "application/x-www-form-urlencoded"}, "", 415),
        ({"content-type": "text/plain", "x-functions-key": "k"}, "", 200),
        ({"content-type": "text/plain"}, "a=1&code=k", 200),
        ({"content-type": "text/plain"}, "code=", 415),
        ({"content-type": "text/plain"}, "mycode=k", 415),
        ({"origin": SELF}, "", 415),
        ({"origin": EVIL, "content-type": "application/json", "x-functions-key": "k"}, "", 403),
    ],
)
def test_admin_takes_json(headers: dict[str, str], query: str, expected: int) -> None:
    """An admin request says that it is JSON, or has a key: a page needs permission for either."""
    assert status("POST", headers, "/admin/functions/x", query=query) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/admin", True), ("//Admin/x", True), ("/administer", False), ("/api/admin", False)],
)
def test_admin_routes(path: str, expected: bool) -> None:
    """The admin routes are those below /admin, whatever the case."""
    assert is_admin(path) is expected


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["", "cross-site", "x"]))
def test_any_header(host: str, origin: str, site: str) -> None:
    """No header makes the decision fail, and no unknown origin passes."""
    headers = {"host": HOST, "origin": f"https://x{origin}", "sec-fetch-site": site}

    Access().refuse("GET", "/", "", {"host": host, "origin": origin, "sec-fetch-site": site})
    assert Access().refuse("GET", "/", "", headers)


@pytest.mark.parametrize(
    ("host", "settings", "name"),
    [
        ("my-laptop", {}, "my-laptop"),
        ("127.0.0.1", {"WEBSITE_HOSTNAME": "app.example:443"}, "app.example"),
    ],
)
def test_server_names(host: str, settings: dict[str, str], name: str) -> None:
    """The server is called by where it listens, by WEBSITE_HOSTNAME and by what else is allowed."""
    access = Access(names=server_names(host, settings, ["more"]))

    assert access.knows(name)
    assert access.knows("more")
    assert not access.knows("less")


def test_name_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on all addresses is called by the machine's name, and another is not."""
    monkeypatch.setattr("funcscope.contrib.host._access.access.gethostname", lambda: "box")

    assert {"box", "box.local"} <= set(server_names("0.0.0.0", {}))
    assert "box" not in server_names("127.0.0.1", {})


@pytest.mark.parametrize(
    ("address", "exposed"),
    [("127.0.0.1", False), ("127.1.2.3", False), ("::1", False), ("0.0.0.0", True), ("::", True)],
)
def test_exposure(address: str, exposed: bool) -> None:
    """Listening where others reach it is told."""
    assert bool(explain_exposure(address)) is exposed


def test_a_refusal_is_told_once_and_safely() -> None:
    """Whoever is refused gets the reason; the console does once, without control characters."""
    lines: list[str] = []
    sent: list[Message] = []
    guard = Guard(PlainTextResponse("served"), Access(), lines.append)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/\x1b[31m\nred",
        "query_string": b"code=s3cret",
        "headers": [(b"host", b"evil.example")],
    }
    asyncio.run(guard(scope, receive, send))
    asyncio.run(guard(scope, receive, send))

    assert [m["status"] for m in sent if "status" in m] == [403, 403]
    assert b"--allow-host" in sent[1]["body"]
    assert len(lines) == 1
    assert r"/\x1b[31m\nred" in lines[0]
    assert "s3cret" not in lines[0]


def test_a_client_that_goes_away_while_it_sends() -> None:
    """A request that does not come whole gets no answer, and is no error of the host's."""
    sent: list[Message] = []

    async def read(scope: Scope, receive: Receive, _: Send) -> None:
        await Request(scope, receive).body()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/x",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    asyncio.run(Guard(read, Access(), lambda _: None)(scope, receive, send))

    assert sent == []
