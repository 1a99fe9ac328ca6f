"""The local host loads an app again when its files change."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import PlainTextResponse
from tests.patience import PATIENCE_S

from funcscope.contrib.host._life.front import Front

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contrib.host.conftest import HostProcess

    from funcscope.contrib.host import OtlpReceiver, TelemetryStore

pytestmark = pytest.mark.library_worker

APP = """
import os
from pathlib import Path
import azure.functions as func
import words

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("say")
def say(req):
    return f"{words.WORD} {os.environ.get('COLOUR', '')}"

@app.route("wait")
def wait(req):
    print("at the gate")
    return Path(os.environ["GATE"]).read_text()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Make an app of two modules with a setting."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "function_app.py").write_text(APP, "utf-8")
    write(tmp_path / "app", "one")
    return tmp_path / "app"


def write(directory: Path, word: str) -> None:
    """Let the app say a word."""
    (directory / "words.py").write_text(f"WORD = {word!r}\n", "utf-8")


def start(run_host: Callable[..., HostProcess], directory: Path, **environment: str) -> HostProcess:
    """Run the app, and wait for its functions."""
    host = run_host(directory, "--reload", "--port", "0", **environment)
    host.wait_for("^Functions:")
    return host


class Waiting:
    """
    A host with a request whose function waits.

    Attributes:
        gate: What it waits for a text in.
    """

    def __init__(self, run_host: Callable[..., HostProcess], directory: Path) -> None:
        self.gate = directory.parent / "gate"
        os.mkfifo(self.gate)
        self.host = start(run_host, directory, GATE=str(self.gate))
        self._answers: list[tuple[int, str]] = []
        self._client = threading.Thread(target=self._fetch, daemon=True)
        self._client.start()
        self.host.wait_for("^at the gate$")

    def _fetch(self) -> None:
        self._answers.append(self.host.fetch("/api/wait")[::2])

    def answer(self) -> tuple[int, str]:
        """Wait for the answer, and return its status and its body."""
        self._client.join(PATIENCE_S)
        return self._answers[0]


def test_a_module_that_changes(run_host: Callable[..., HostProcess], directory: Path) -> None:
    """The next request after a change is answered by the new code."""
    host = start(run_host, directory)
    assert host.fetch("/api/say")[2] == "one "

    write(directory, "two")

    host.wait_for(r"^words\.py changed: loading the app again$")
    host.wait_for("^the app is loaded again$")
    assert host.fetch("/api/say")[2] == "two "


def test_functions_that_change(run_host: Callable[..., HostProcess], directory: Path) -> None:
    """Functions that come with a change are listed and served."""
    host = start(run_host, directory)
    script = directory / "function_app.py"
    script.write_text(script.read_text("utf-8").replace('"say"', '"tell"'), "utf-8")

    host.wait_for("/api/tell$")

    assert host.fetch("/api/tell")[2] == "one "
    assert host.fetch("/api/say")[0] == 404


def test_settings_that_change(run_host: Callable[..., HostProcess], directory: Path) -> None:
    """The new process has the settings of `local.settings.json` as they are now."""
    settings = directory / "local.settings.json"
    settings.write_text(json.dumps({"Values": {"COLOUR": "red"}}), "utf-8")
    host = start(run_host, directory)
    assert host.fetch("/api/say")[2] == "one red"

    settings.write_text(json.dumps({"Values": {"COLOUR": "blue"}}), "utf-8")

    host.wait_for("^the app is loaded again$")
    assert host.fetch("/api/say")[2] == "one blue"


def test_an_endpoint_that_changes(
    run_host: Callable[..., HostProcess],
    directory: Path,
    receiver: OtlpReceiver,
    store: TelemetryStore,
) -> None:
    """Telemetry goes on to the endpoint that the settings name now, and a line says which."""
    script = directory / "function_app.py"
    script.write_text("import funcscope.auto\n" + script.read_text("utf-8"), "utf-8")
    settings = directory / "local.settings.json"
    host = start(run_host, directory)
    host.fetch("/api/say")
    host.wait_for("^└── GET /api/say")
    assert not len(store.spans)

    values = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}
    settings.write_text(json.dumps({"Values": values}), "utf-8")
    host.wait_for("^the app is loaded again$")
    host.fetch("/api/say")

    store.wait_for(lambda received: [s for s in received.spans if s.name == "GET /api/say"])
    host.wait_for(f"are shown here, and go to {receiver.endpoint}")
    host.wait_for("^└── GET /api/say", count=2)


def test_a_change_that_breaks_the_app(
    run_host: Callable[..., HostProcess], directory: Path
) -> None:
    """A broken app is shown and answered with 503, until the next change mends it."""
    host = start(run_host, directory)

    (directory / "words.py").write_text("WORD = (\n", "utf-8")
    host.wait_for("SyntaxError")
    host.wait_for("it is loaded again when a file of the app changes")
    status, _, body = host.fetch("/api/say")
    assert status == 503
    assert "SyntaxError" in body

    write(directory, "mended")
    host.wait_for("^the app is loaded again$")
    assert host.fetch("/api/say")[2] == "mended "


def test_an_app_that_is_broken_from_the_start(
    run_host: Callable[..., HostProcess], directory: Path
) -> None:
    """With `--reload`, an app that cannot be loaded is waited for."""
    (directory / "words.py").write_text("WORD = (\n", "utf-8")
    host = run_host(directory, "--reload", "--port", "0")
    host.wait_for("it is loaded again when a file of the app changes")

    write(directory, "late")

    host.wait_for("^Functions:")
    assert host.fetch("/api/say")[2] == "late "


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_what_is_in_flight_is_finished(
    run_host: Callable[..., HostProcess], directory: Path
) -> None:
    """A request that runs when a file changes is answered by the code that it began with."""
    waiting = Waiting(run_host, directory)

    write(directory, "two")
    waiting.host.wait_for(r"^words\.py changed: loading the app again$")
    waiting.gate.write_text("open", "utf-8")

    assert waiting.answer() == (200, "open")
    waiting.host.wait_for("^the app is loaded again$")


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_what_does_not_finish_is_ended(
    run_host: Callable[..., HostProcess], directory: Path
) -> None:
    """A request that would hold up a change for ever is told that the host has ended it."""
    waiting = Waiting(run_host, directory)

    write(directory, "two")

    assert waiting.answer() == (500, "the host has ended the worker's process")
    waiting.host.wait_for("^the app is loaded again$")
    assert waiting.host.fetch("/api/say")[2] == "two "


def test_other_files_change_nothing(run_host: Callable[..., HostProcess], directory: Path) -> None:
    """What no app is loaded from, and what stands in an environment, is not looked at."""
    (directory / ".venv").mkdir()
    host = start(run_host, directory)

    (directory / "notes.txt").write_text("x", "utf-8")
    (directory / ".venv" / "module.py").write_text("x", "utf-8")
    write(directory, "two")

    host.wait_for("^the app is loaded again$")
    assert "notes.txt" not in host.output
    assert "module.py" not in host.output


def test_changes_that_follow_each_other() -> None:
    """A request that waits is answered by the app in the end, where it is held again at once."""

    async def turns() -> None:
        for _ in range(20):  # more than a task needs to come to where it waits
            await asyncio.sleep(0)

    async def scenario() -> str:
        front = Front()
        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            waiting = asyncio.create_task(client.get("/"))
            await turns()
            front.open(PlainTextResponse("early"))
            front.hold()
            await turns()
            front.open(PlainTextResponse("late"))
            return (await waiting).text

    assert asyncio.run(scenario()) == "late"
