"""Instrumentations are turned on by name, and none stops the app."""

from __future__ import annotations

import importlib.machinery
import logging
import os
import subprocess
import sys
import textwrap
import types
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.settings import settings as azure_settings
from opentelemetry.instrumentation.logging import (  # pyright: ignore[reportMissingTypeStubs]
    LoggingInstrumentor,
)
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from tests.patience import PROCESS_S
from tests.sdk_versions import since

from funcscope.telemetry._recording.instrumentations import Instrumentations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Installer = Callable[[str, str], None]

QUIET_FLASK = "an instrumentation that asks Flask for nothing deprecated"


@pytest.fixture
def requests_instrumentation() -> Iterator[RequestsInstrumentor]:
    """Return the one of `requests`, and turn it off again."""
    instrumentor = RequestsInstrumentor()
    yield instrumentor
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


@pytest.fixture
def instrumentations() -> Instrumentations:
    """Return those of a process that has turned on none."""
    return Instrumentations()


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


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """Give azure-core a plugin for tracing, and forget what it was told."""
    name = "azure.core.tracing.ext.opentelemetry_span"
    made: Any = types.ModuleType(name)
    made.__spec__ = importlib.machinery.ModuleSpec(name, None)
    made.OpenTelemetrySpan = type("OpenTelemetrySpan", (), {})
    monkeypatch.setitem(sys.modules, name, made)
    yield made
    azure_settings.tracing_implementation.unset_value()
    azure_settings.tracing_enabled.unset_value()


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what funcscope logged."""
    return [r.getMessage() for r in caplog.records if r.name == "funcscope.telemetry"]


def test_an_installed_one_is_turned_on(
    instrumentations: Instrumentations,
    requests_instrumentation: RequestsInstrumentor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A name in any case turns its instrumentation on; a second time changes nothing."""
    instrumentations.turn_on([" Requests"])
    instrumentations.turn_on(["requests", "opentelemetry-instrumentation-requests"])

    assert requests_instrumentation.is_instrumented_by_opentelemetry
    assert not caplog.records


def test_only_the_named_are_loaded(instrumentations: Instrumentations, install: Installer) -> None:
    """An instrumentation that nobody named is not even imported."""
    install("unnamed", "raise SystemExit")
    install("other-one", INSTRUMENTOR.format(dependencies=[], body="type(self).calls += 1"))

    instrumentations.turn_on(["other_one", "OTHER-ONE"])
    instrumentations.turn_on(["other-one"])

    assert sys.modules["funcscope_test_other_one"].Instrumentor.calls == 1
    assert "funcscope_test_unnamed" not in sys.modules


def test_disabled_ones_stay_off(
    instrumentations: Instrumentations,
    requests_instrumentation: RequestsInstrumentor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What OpenTelemetry's own setting turns off is not turned on, and that is said once."""
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "flask, Requests")
    instrumentations.turn_on(["requests"])
    instrumentations.turn_on(["requests"])

    assert not requests_instrumentation.is_instrumented_by_opentelemetry
    (line,) = messages(caplog)
    assert "'requests' stays off, as OTEL_PYTHON_DISABLED_INSTRUMENTATIONS says" in line


BESIDE = version("opentelemetry-instrumentation")
"""The version that goes with the SDK that is installed, as pip has found."""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nosuch", "is not known (installed are: "),
        ("requets", "is not known: did you mean 'requests'?"),
        (
            "pika",
            f"is not installed: pip install opentelemetry-instrumentation-pika=={BESIDE} (",
        ),
        (
            "cassandr",
            (
                "is not installed: did you mean 'cassandra'? "
                f"pip install opentelemetry-instrumentation-cassandra=={BESIDE} ("
            ),
        ),
    ],
)
def test_a_missing_one_is_named_with_what_to_do(
    instrumentations: Instrumentations, caplog: pytest.LogCaptureFixture, name: str, says: str
) -> None:
    """One line names what was meant, or what to install, however often it is asked for."""
    instrumentations.turn_on([name])
    instrumentations.turn_on([name])

    (message,) = messages(caplog)
    assert f"instrumentation {name!r} {says}" in message


def test_one_that_the_extra_has_is_installed_by_it(
    instrumentations: Instrumentations,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What `funcscope[instrument]` has is advised to be installed by that: pip picks versions."""
    monkeypatch.setattr(f"{Instrumentations.__module__}.entry_points", lambda group: [])
    instrumentations.turn_on(["psycopg"])

    (message,) = messages(caplog)
    assert 'is not installed: pip install "funcscope[instrument]" (installed are' in message


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise ValueError('x')", "could not be turned on"),
        ("import nosuch_library", "No module named 'nosuch_library'"),
        (INSTRUMENTOR.format(dependencies=[], body="1 / 0"), "could not be turned on"),
        (
            INSTRUMENTOR.format(dependencies=["nosuch >= 2"], body="pass"),
            "nosuch >= 2",
        ),
        (INSTRUMENTOR.format(dependencies=["pytest < 1"], body="pass"), "pytest < 1"),
    ],
    ids=["import fails", "library missing", "fails", "dependency missing", "conflict"],
)
def test_one_that_fails_is_left_out(
    code: str,
    says: str,
    request: pytest.FixtureRequest,
    instrumentations: Instrumentations,
    install: Installer,
    requests_instrumentation: RequestsInstrumentor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What cannot be turned on is said in one record, and the next one is turned on."""
    name = f"bad-{request.node.callspec.id.replace(' ', '-')}"
    install(name, code)

    instrumentations.turn_on_early([name, "requests"])
    instrumentations.turn_on([name, "requests"])

    (message,) = messages(caplog)
    assert name in message
    assert says in message
    assert caplog.records[0].levelno >= logging.WARNING
    assert requests_instrumentation.is_instrumented_by_opentelemetry


def test_one_that_is_found_later(
    instrumentations: Instrumentations, install: Installer, caplog: pytest.LogCaptureFixture
) -> None:
    """What an app makes importable while it is imported is turned on then, without a warning."""
    instrumentations.turn_on_early(["found-later"])
    install("found-later", INSTRUMENTOR.format(dependencies=[], body="type(self).calls += 1"))
    instrumentations.turn_on(["found-later"])

    assert sys.modules["funcscope_test_found_later"].Instrumentor.calls == 1
    assert not messages(caplog)


def test_names_in_code_win(instrumentations: Instrumentations, install: Installer) -> None:
    """Those that code names are turned on instead of the app setting's, then and later on."""
    install("in-code", INSTRUMENTOR.format(dependencies=[], body="type(self).calls += 1"))
    install("in-setting", "raise SystemExit")
    environ = {"FUNCSCOPE_INSTRUMENT": "in-setting"}

    instrumentations.turn_on_early(["in-code"], environ)
    instrumentations.turn_on_early(None, environ)

    assert sys.modules["funcscope_test_in_code"].Instrumentor.calls == 1


def test_what_the_app_turns_off_stays_off(
    instrumentations: Instrumentations, requests_instrumentation: RequestsInstrumentor
) -> None:
    """An instrumentation that the app turns off after ours is not turned on again."""
    instrumentations.turn_on_early(["requests"])
    requests_instrumentation.uninstrument()
    instrumentations.turn_on(["requests"])

    assert not requests_instrumentation.is_instrumented_by_opentelemetry


def test_the_apps_own_options_win(
    instrumentations: Instrumentations, install: Installer, caplog: pytest.LogCaptureFixture
) -> None:
    """An app that turns one on itself gets its options, though it is on, and only once."""
    install("with-options", INSTRUMENTOR.format(dependencies=[], body="self.options = options"))
    instrumentations.turn_on_early(["with-options"])
    instrumentor = sys.modules["funcscope_test_with_options"].Instrumentor()

    instrumentor.instrument(hook=1)
    instrumentor.instrument(hook=2)

    assert instrumentor.options == {"hook": 1}
    (record,) = caplog.records  # OpenTelemetry's, of the second one
    assert record.getMessage() == "Attempting to instrument while already instrumented"


@since(43, "an option of its own for what a record is given")
def test_record_factories_between_are_kept(instrumentations: Instrumentations) -> None:
    """A record factory that an app sets survives that it turns `logging`'s on itself."""
    before = logging.getLogRecordFactory()
    instrumentor = LoggingInstrumentor()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = between(*args, **kwargs)
        record.of_the_app = True
        return record

    try:
        instrumentations.turn_on_early(["logging"])
        between = logging.getLogRecordFactory()
        logging.setLogRecordFactory(factory)
        instrumentor.instrument(inject_trace_context=True, enable_log_auto_instrumentation=False)
        made = vars(logging.getLogRecordFactory()("x", 20, "x.py", 1, "x", (), None))
    finally:
        instrumentor.uninstrument()
        logging.setLogRecordFactory(before)

    assert made["of_the_app"]
    assert made["otelTraceID"] == "0"


def test_metadata_that_cannot_be_read(
    instrumentations: Instrumentations,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An environment that cannot say what is installed costs the app nothing but a record."""

    def broken(cls: object, *args: object) -> list[object]:
        raise ValueError("no metadata")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "meta_path", [type("Finder", (), {"find_distributions": broken})()])
        instrumentations.turn_on(["requests"])

    assert messages(caplog) == ["instrumentations are not turned on"]


def test_no_names(instrumentations: Instrumentations, caplog: pytest.LogCaptureFixture) -> None:
    """An empty list asks for nothing."""
    instrumentations.turn_on(["", " "])

    assert not caplog.records


def run(code: str, *, said: str = "", **environ: str) -> list[str]:
    """Run code in a fresh interpreter; return the lines that it prints; it may log one thing."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**clean, **environ},
        check=False,
        timeout=PROCESS_S,
    )
    assert done.returncode == 0, done.stderr
    logged = [line for line in done.stderr.splitlines() if not (said and line.startswith(said))]
    assert not logged
    assert done.stderr.count(said) == 1 or not said
    return done.stdout.splitlines()


LOADED = """
import sys
def loaded(*names):
    return sorted({n for m in sys.modules for n in names if m == n or m.startswith(n + ".")})
"""
ALL = ("fastapi", "flask", "httpx", "logging", "requests", "sqlalchemy", "starlette", "urllib")


@since(42, QUIET_FLASK)
def test_two_frameworks() -> None:
    """One framework's instrumentation that imports its framework is no surprise after another's."""
    code = "import funcscope.auto, sys\nprint('opentelemetry.instrumentation.flask' in sys.modules)"

    assert run(code, FUNCSCOPE_INSTRUMENT="fastapi,flask") == ["True"]


@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=since(42, QUIET_FLASK)) if each == "flask" else each for each in ALL],
)
def test_on_with_the_one_import(name: str) -> None:
    """`import funcscope.auto` turns on what the setting names, and loads no SDK for it."""
    lines = run(
        LOADED + "import funcscope.auto\n"
        "from importlib.metadata import entry_points\n"
        f"(entry,) = entry_points(group='opentelemetry_instrumentor', name={name!r})\n"
        "print(entry.load()().is_instrumented_by_opentelemetry, loaded('opentelemetry.sdk'))",
        FUNCSCOPE_INSTRUMENT=name,
    )

    assert lines == ["True []"]


@pytest.mark.parametrize(
    "environ",
    [{}, {"FUNCSCOPE_INSTRUMENT": "requests", "FUNCSCOPE_DISABLE": "TelemetryExtension"}],
    ids=["not asked for", "telemetry is off"],
)
def test_nothing_is_loaded_without_need(environ: dict[str, str]) -> None:
    """Without a name, or with telemetry off, the one import loads no instrumentation at all."""
    lines = run(
        LOADED + "import funcscope.auto\n"
        "print(loaded('opentelemetry.instrumentation', 'requests', 'difflib'))",
        **environ,
    )

    assert lines == ["[]"]


def test_on_with_configure() -> None:
    """`configure(instrument=…)` turns on what it names at once, and not what the setting names."""
    lines = run(
        LOADED + "from funcscope.telemetry import configure\n"
        "configure(instrument=['requests'])\n"
        "print(loaded('opentelemetry.sdk', 'requests', 'sqlalchemy'))",
        FUNCSCOPE_INSTRUMENT="sqlalchemy",
    )

    assert lines == ["['requests']"]


def test_the_service_in_log_records() -> None:
    """Records made before there is a provider have the name that its resource will have."""
    lines = run(
        """
        import logging
        import funcscope.auto
        def service():
            return logging.getLogRecordFactory()("x", 20, "x.py", 1, "x", (), None).otelServiceName
        print(service())
        from funcscope.telemetry._config.resource import resource
        import os
        print(resource(os.environ).attributes["service.name"])
        """,
        FUNCSCOPE_INSTRUMENT="logging",
        OTEL_PYTHON_LOG_CORRELATION="true",
        WEBSITE_SITE_NAME="shop",
    )

    assert lines == ["shop", "shop"]


LEFT_OUT = ("fastapi", "flask", "starlette", "logging")
ON = """
import logging
from importlib.metadata import entry_points
logging.basicConfig(format="%(message)s", level=logging.INFO)
import funcscope.auto
from funcscope.telemetry._recording.instrumentations import instrumentations
instrumentations.turn_on(["auto", *named])
instrumentations.turn_on(["auto", *named])
kinds = entry_points(group="opentelemetry_instrumentor")
known = [kind for kind in kinds if kind.name in names]
print(sorted(kind.name for kind in known if kind.load()().is_instrumented_by_opentelemetry))
print(loaded("azure.core", "opentelemetry.sdk"))
"""


@since(42, QUIET_FLASK)
@pytest.mark.parametrize(
    ("named", "disabled", "off"),
    [
        ("", "", LEFT_OUT),
        ("flask", "requests , HTTPX", ("fastapi", "starlette", "logging", "requests", "httpx")),
    ],
    ids=["all", "one more, and two less"],
)
def test_all_but_servers(named: str, disabled: str, off: tuple[str, ...]) -> None:
    """`auto` is all that is installed but what would make the request's span again."""
    code = f"{LOADED}\nnames, named = {ALL!r}, {named.split()!r}\n{ON}"
    on, loaded = run(
        code,
        said="instrumentations are on: ",
        FUNCSCOPE_INSTRUMENT=f"auto,{named}",
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled,
    )

    assert on == str(sorted({*ALL} - {*off}))
    assert loaded == "[]"


def test_all_disabled(
    instrumentations: Instrumentations,
    requests_instrumentation: RequestsInstrumentor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`*` disables all of them, as one line says, and nothing is said of those nobody names."""
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "*")
    caplog.set_level(logging.INFO, "funcscope.telemetry")
    instrumentations.turn_on(["auto"])

    assert not requests_instrumentation.is_instrumented_by_opentelemetry
    assert caplog.messages == [
        "no instrumentation is on: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS is '*'"
    ]


def test_what_is_said_to_be_on_is(
    instrumentations: Instrumentations,
    requests_instrumentation: RequestsInstrumentor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The line of what is on has no name of an instrumentation that could not be turned on."""
    caplog.set_level(logging.INFO, "funcscope.telemetry")
    instrumentations.turn_on(["nosuch", "requests"])
    instrumentations.turn_on(["auto"])

    (line,) = (m for m in caplog.messages if m.startswith("instrumentations are on: "))
    assert "requests" in line
    assert "nosuch" not in line
    assert requests_instrumentation.is_instrumented_by_opentelemetry


def test_libraries_that_an_app_does_not_have(install: Installer, tmp_path: Path) -> None:
    """Of all, one without its library is left out in silence, and one of another version is not."""
    install("without", INSTRUMENTOR.format(dependencies=["nosuch >= 2"], body="pass"))
    install("unimportable", "import nosuch")
    install("of-old", INSTRUMENTOR.format(dependencies=["pytest < 1"], body="pass"))
    code = f"{LOADED}\nnames, named = ('of-old',), []\n{ON.replace('INFO', 'WARNING')}"
    on, _ = run(
        code,
        said="instrumentation 'of-old' is left out: ",
        PYTHONPATH=str(tmp_path),
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=",".join(ALL),
    )

    assert on == "[]"


def test_a_package_of_several(instrumentations: Instrumentations, install: Installer) -> None:
    """The name of a package is that of each instrumentation in it."""
    install("one-half", INSTRUMENTOR.format(dependencies=[], body="type(self).calls += 1"))
    instrumentations.turn_on(["funcscope_test_one_half"])

    assert sys.modules["funcscope_test_one_half"].Instrumentor.calls == 1


def test_the_azure_sdk(instrumentations: Instrumentations, plugin: types.ModuleType) -> None:
    """Azure's SDK makes spans by its plugin, which messages are traced by alone."""
    instrumentations.turn_on(["azure_sdk"])

    assert azure_settings.tracing_enabled()
    assert azure_settings.tracing_implementation() is plugin.OpenTelemetrySpan


def test_the_azure_sdk_without_a_plugin(
    instrumentations: Instrumentations,
    plugin: types.ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without the plugin it makes spans of its own, and a line says what is missing."""
    caplog.set_level(logging.INFO, "funcscope.telemetry")
    monkeypatch.setitem(sys.modules, plugin.__name__, None)
    instrumentations.turn_on(["azure-sdk"])

    assert azure_settings.tracing_enabled()
    assert azure_settings.tracing_implementation() is None
    (message,) = messages(caplog)
    assert "pip install azure-core-tracing-opentelemetry" in message


@pytest.mark.parametrize("by", ["setting", "code"])
def test_the_azure_sdks_own_settings_count(
    by: str,
    instrumentations: Instrumentations,
    plugin: types.ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What an app has told the SDK stays."""
    own = type("OwnSpan", (), {})
    if by == "setting":
        monkeypatch.setenv("AZURE_TRACING_ENABLED", "false")
    else:
        azure_settings.tracing_implementation = own
    instrumentations.turn_on(["azure-sdk"])

    assert azure_settings.tracing_enabled() is (by == "code")
    assert azure_settings.tracing_implementation() is (own if by == "code" else None)


@pytest.mark.parametrize("has_base", [True, False])
def test_ours_is_off_and_on_whatever_turned_it_on(has_base: bool) -> None:
    """`azure_functions` knows that `funcscope.auto` turned it on, with a base or not."""
    lines = run(
        f"""
        import sys
        if not {has_base}:
            sys.modules["opentelemetry.instrumentation.instrumentor"] = None
        from importlib.metadata import entry_points

        (entry,) = entry_points(group="opentelemetry_instrumentor", name="azure_functions")
        instrumentor = entry.load()()
        print(instrumentor.is_instrumented_by_opentelemetry)
        import funcscope.auto
        for step in (lambda: None, instrumentor.uninstrument, instrumentor.instrument) * 2:
            step()
            print(instrumentor.is_instrumented_by_opentelemetry)
        """
    )

    assert lines == ["False", *["True", "False", "True"] * 2]
