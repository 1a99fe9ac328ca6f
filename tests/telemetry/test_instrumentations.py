"""Instrumentations are turned on by name, and none stops the app."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import pytest
from opentelemetry.instrumentation.requests import RequestsInstrumentor

from funcscope.telemetry._instrumentations import instrument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Installer = Callable[[str, str], None]


@pytest.fixture
def requests_instrumentation() -> Iterator[RequestsInstrumentor]:
    """Return the one of `requests`, and turn it off again."""
    instrumentor = RequestsInstrumentor()
    yield instrumentor
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    """Install an instrumentation: `install("broken", "raise ValueError")` runs when loaded."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, code: str) -> None:
        module = f"funcscope_test_{name.replace('-', '_')}"
        (tmp_path / f"{module}.py").write_text(code)
        about = tmp_path / f"{module}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(
            f"[opentelemetry_instrumentor]\n{name} = {module}:Instrumentor\n"
        )

    return make


INSTRUMENTOR = """
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

class Instrumentor(BaseInstrumentor):
    calls = 0
    def instrumentation_dependencies(self):
        return {dependencies!r}
    def _instrument(self, **options):
        {body}
    def _uninstrument(self, **options):
        pass
"""


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what funcscope logged."""
    return [r.getMessage() for r in caplog.records if r.name == "funcscope.telemetry"]


def test_an_installed_one_is_turned_on(
    requests_instrumentation: RequestsInstrumentor, caplog: pytest.LogCaptureFixture
) -> None:
    """A name in any case turns its instrumentation on; a second time changes nothing."""
    instrument([" Requests"])
    instrument(["requests", "requests"])

    assert requests_instrumentation.is_instrumented_by_opentelemetry
    assert not caplog.records


def test_only_the_named_are_loaded(install: Installer) -> None:
    """An instrumentation that nobody named is not even imported."""
    install("unnamed", "raise SystemExit")
    install("other-one", INSTRUMENTOR.format(dependencies=[], body="type(self).calls += 1"))

    instrument(["other_one", "OTHER-ONE"])
    instrument(["other-one"])

    assert sys.modules["funcscope_test_other_one"].Instrumentor.calls == 1
    assert "funcscope_test_unnamed" not in sys.modules


def test_a_missing_one_is_named_with_its_package(caplog: pytest.LogCaptureFixture) -> None:
    """One line says what to install."""
    instrument(["nosuch"])

    (message,) = messages(caplog)
    assert "instrumentation 'nosuch' is not installed" in message
    assert "pip install opentelemetry-instrumentation-nosuch" in message


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise ValueError('x')", "could not be turned on"),
        ("import nosuch_library", "No module named 'nosuch_library'"),
        (INSTRUMENTOR.format(dependencies=[], body="1 / 0"), "could not be turned on"),
        (
            INSTRUMENTOR.format(dependencies=["nosuch >= 2"], body="pass"),
            'only instruments "nosuch',
        ),
        (INSTRUMENTOR.format(dependencies=["pytest < 1"], body="pass"), "falls outside"),
    ],
    ids=["import fails", "library missing", "fails", "dependency missing", "conflict"],
)
def test_one_that_fails_is_left_out(
    code: str,
    says: str,
    request: pytest.FixtureRequest,
    install: Installer,
    requests_instrumentation: RequestsInstrumentor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What cannot be turned on is said in one record, and the next one is turned on."""
    name = f"bad-{request.node.callspec.id.replace(' ', '-')}"
    install(name, code)

    instrument([name, "requests"])

    (message,) = messages(caplog)
    assert name in message
    assert says in message
    assert caplog.records[0].levelno >= logging.WARNING
    assert requests_instrumentation.is_instrumented_by_opentelemetry


def test_no_names(caplog: pytest.LogCaptureFixture) -> None:
    """An empty list asks for nothing."""
    instrument(["", " "])

    assert not caplog.records
