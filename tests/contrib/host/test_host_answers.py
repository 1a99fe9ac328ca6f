"""What the local host answers to odd requests and makes of odd answers, as a client sees it."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contrib.host.conftest import HostProcess

pytestmark = pytest.mark.library_worker

FRONT = "https://front.example"
EVIL = "https://evil.example"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def host(run_host: Callable[..., HostProcess]) -> HostProcess:
    """Run the app."""
    return run_host("host_answers")


def send(host: HostProcess, text: str) -> bytes:
    """Send a request as it is, and return the whole answer."""
    port = int(host.netloc.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        connection.sendall(text.replace("\n", "\r\n").format(host=host.netloc).encode("latin-1"))
        answer = b""
        while received := connection.recv(65536):
            answer += received
    return answer


@pytest.mark.parametrize("status", [204, 205, 304])
def test_status_without_body(host: HostProcess, status: int) -> None:
    """A status that has no body is answered without the function's, and that is told."""
    answer = host.fetch(f"/v/status/{status}")

    assert answer[::2] == (status, "")
    host.wait_for(rf"GET /v/status/{status} .*the function's body is not sent")


@pytest.mark.parametrize("status", [200, 418, 599])
def test_any_status(host: HostProcess, status: int) -> None:
    """Every status with a body is answered as it is."""
    assert host.fetch(f"/v/status/{status}")[::2] == (status, "body")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/v/status/999", "its status is 999: use one from 200 to 599"),
        ("/v/status/9999", "its status is 9999"),
        ("/v/status/100", "its status is 100"),
        ("/v/header?name=X-A&value=%C3%A9", "header 'X-A' holds the character 'é'"),
        ("/v/header?name=X%20A&value=1", "'X A' is no name for a header"),
    ],
)
def test_answer_that_cannot_be_sent(host: HostProcess, path: str, problem: str) -> None:
    """An answer that no server sends is 500 with the reason, which the console tells, too."""
    status, _, body = host.fetch(path)

    assert status == 500
    assert problem in body
    host.wait_for(re.escape(problem))


def test_cookies(host: HostProcess) -> None:
    """Each cookie is a header of its own."""
    assert host.fetch("/v/cookies")[1].get_all("set-cookie") == [
        "a=1; Path=/; SameSite=Lax",
        "b=2; HttpOnly",
    ]


def test_framing_is_the_servers(host: HostProcess) -> None:
    """The function's length does not count, and its date stands alone."""
    _, headers, body = host.fetch("/v/framed")

    assert body == "x"
    assert headers.get_all("content-length") == ["1"]
    assert headers.get_all("date") == ["now"]
    assert headers["server"] == "s"
    assert len(host.fetch("/v/cookies")[1].get_all("date") or []) == 1


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/v/2/url/a%20b%2Fc?x=%3F", "/v/2/url/a%20b%2Fc?x=%3F"),
        ("/v/2/url/a//b/", "/v/2/url/a//b/"),
        ("/v/2/url", "/v/2/url"),
    ],
)
def test_url(host: HostProcess, path: str, seen: str) -> None:
    """A function gets the URL as it was sent; settings stand in its route."""
    assert host.fetch(path)[::2] == (200, f"http://{host.netloc}{seen}")


def test_hostname(host: HostProcess) -> None:
    """An app is told the name under which it is served, of which it makes URLs."""
    assert host.fetch("/v/hostname")[2] == host.netloc


def test_left_out_functions_are_told(host: HostProcess) -> None:
    """A function with a wrong route, and a disabled one, are told at the start; others run."""
    host.wait_for("function 'broken': route constraint 'nothing' is not known")
    host.wait_for("function 'off' is left out: disabled by setting 'AzureWebJobs.off.Disabled'")
    assert host.fetch("/v/off")[0] == 404
    assert "broken" not in {f["name"] for f in json.loads(host.fetch("/admin/functions")[2])}


def test_control_characters(host: HostProcess) -> None:
    """What a request's path holds does nothing to the terminal."""
    host.fetch("/v/nothing/%1b[31mred%1b]0;pwn%07%c2%9b2J%e2%80%ae", headers={"host": "evil.net"})
    host.fetch("/v/2/url/%1b[31mred%1b]0;pwn%07%c2%9b2J%e2%80%ae")

    host.wait_for(r"refused GET /v/nothing/\\x1b\[31mred")
    host.wait_for(r"GET /v/2/url/\\x1b\[31mred")
    assert not set("\x1b\x9b\x07\u202e") & set(host.output)


def test_keys_are_accepted_and_not_shown(host: HostProcess) -> None:
    """A function that asks for a key runs with any, and without, and no key is shown."""
    assert host.fetch("/v/say/key?code=s3cret-key")[0] == 200
    assert host.fetch("/v/say/key", headers={"x-functions-key": "s3cret-key"})[0] == 200
    assert host.fetch("/v/say/done")[0] == 200

    host.wait_for("said done")
    assert "s3cret" not in host.output


def test_preflight(host: HostProcess) -> None:
    """A preflight of an allowed origin is answered by the host, credentials included."""
    asked = {"origin": FRONT, "access-control-request-method": "PUT"}
    asked["access-control-request-headers"] = "x-a, content-type"

    status, headers, _ = host.fetch("/v/say/no", "OPTIONS", headers=asked)

    assert status in (200, 204)
    assert headers["access-control-allow-origin"] == FRONT
    assert headers["access-control-allow-credentials"] == "true"
    assert "PUT" in headers["access-control-allow-methods"]
    assert "x-a" in headers["access-control-allow-headers"]


def test_cors(host: HostProcess) -> None:
    """An allowed origin may read the answer; another one starts nothing."""
    allowed = host.fetch("/v/say/front", headers={"origin": FRONT})
    refused = host.fetch("/v/say/evil", "POST", headers={"origin": EVIL})

    assert allowed[0] == 200
    assert allowed[1]["access-control-allow-origin"] == FRONT
    assert refused[0] == 403
    assert "access-control-allow-origin" not in refused[1]
    host.wait_for(rf"refused POST /v/say/evil: it comes from a page of {EVIL}: name its origin")
    assert "said evil" not in host.output


EMPTY_TEXT = "Content-Type: text/plain\nContent-Length: 0\nConnection: close\n\n"
START = "POST /admin/functions/tick HTTP/1.1\nHost: {host}\n"


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /admin/functions HTTP/1.1\nHost: evil.example\nConnection: close\n\n", 403),
        ("GET /v/say/rebound HTTP/1.1\nHost: evil.example:80\nConnection: close\n\n", 403),
        (f"{START}Origin: {EVIL}\n{EMPTY_TEXT}", 403),
        (f"{START}{EMPTY_TEXT}", 415),
    ],
)
def test_pages_start_nothing(host: HostProcess, request_text: str, status: int) -> None:
    """Neither a name that is rebound nor a simple request of a page starts a function."""
    before = host.output.count("ticked")

    assert send(host, request_text).startswith(f"HTTP/1.1 {status} ".encode())

    assert host.fetch("/v/say/after")[0] == 200
    host.wait_for("said after")
    assert host.output.count("ticked") == before
    assert "said rebound" not in host.output


def test_programs_start_functions(host: HostProcess) -> None:
    """An admin request in JSON starts a function."""
    assert host.fetch("/admin/functions/tick", "POST", "{}", JSON)[0] == 202
    host.wait_for("ticked")


def test_allowed_host(run_host: Callable[..., HostProcess]) -> None:
    """A name that --allow-host gives is the server's, and listening for others is told."""
    host = run_host(
        "host_answers", "--port", "0", "--host", "0.0.0.0", "--allow-host", "shop.example"
    )

    answer = send(host, "GET /v/2/url HTTP/1.1\nHost: shop.example\nConnection: close\n\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    host.wait_for(r"listening on 0\.0\.0\.0: whoever reaches this machine can start functions")


def test_function_that_cannot_be_imported(
    run_host: Callable[..., HostProcess], tmp_path: Path
) -> None:
    """A v1 function whose script fails is told with its own frames; the others are served."""
    secret = "AccountName=me;AccountKey=s3cret;EndpointSuffix=x"
    for name, text in (
        ("good", "def main(req): return 'good'"),
        ("bad", f"raise ValueError('\\x1b[2Jno account: {secret}')"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text, encoding="utf-8")
        bindings = [{"type": "httpTrigger", "name": "req"}]
        bindings.append({"type": "http", "name": "$return", "direction": "out"})
        (tmp_path / name / "function.json").write_text(json.dumps({"bindings": bindings}))
    host = run_host(tmp_path)

    assert host.fetch("/api/good")[::2] == (200, "good")
    assert host.fetch("/api/bad")[0] == 404
    host.wait_for("function 'bad' cannot be loaded")
    host.wait_for("ValueError: .*no account: AccountName=me;AccountKey=REDACTED")
    assert "s3cret" not in host.output


def test_secrets_of_an_exception(host: HostProcess) -> None:
    """An exception's secrets are shown neither to the client nor on the console."""
    status, _, body = host.fetch("/v/fail")

    assert status == 500
    assert "AccountKey=REDACTED" in body
    host.wait_for("ValueError: cannot connect with .*AccountKey=REDACTED")
    assert "s3cret-account" not in host.output


def test_app_that_cannot_be_imported(run_host: Callable[..., HostProcess], tmp_path: Path) -> None:
    """What stands in an import's error does nothing to the terminal, and shows no secret."""
    text = "raise ValueError('\\x1b[2Jhttps://app.net/f?code=s3cret')"
    (tmp_path / "function_app.py").write_text(text, encoding="utf-8")
    host = run_host(tmp_path)

    assert host.wait() == 1
    assert r"\x1b[2Jhttps://app.net/f?code=REDACTED" in host.output
    assert "\x1b" not in host.output
