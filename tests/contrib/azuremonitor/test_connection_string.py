"""A connection string, in a setting or in code."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.contrib.azuremonitor import configure
from funcscope.telemetry import TelemetryError
from funcscope.telemetry._config import azure_monitor as _azure_monitor
from funcscope.telemetry._config import settings as _settings
from funcscope.telemetry._config.azure_monitor import connection_string_problem, is_the_hosts
from funcscope.telemetry._config.host import host_mode
from funcscope.telemetry._config.settings import Settings, read_settings
from funcscope.telemetry._integrations import AZURE_MONITOR

KEY = "01234567-89ab-cdef-0123-456789abcdef"
OTHER = KEY.replace("0", "1")
SETTING = "APPLICATIONINSIGHTS_CONNECTION_STRING"
GOOD = f"InstrumentationKey={KEY};IngestionEndpoint=https://westeurope-5.in.example/"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
OTEL = {"AzureFunctionsJobHost__telemetryMode": "OpenTelemetry"}


def exporters(settings: Settings) -> list[tuple[str, ...]]:
    """Return the exporters of traces, logs and metrics."""
    return [s.exporters for s in (settings.traces, settings.logs, settings.metrics)]


def test_a_connection_string_is_enough() -> None:
    """It sends every signal there, beside OTLP where that is on."""
    assert exporters(read_settings({SETTING: GOOD})) == [("azuremonitor",)] * 3
    both = read_settings({SETTING: GOOD, **ENDPOINT})
    assert exporters(both) == [("otlp", "azuremonitor")] * 3
    assert both.problems == ()


@pytest.mark.parametrize(
    ("chosen", "by_setting", "by_code"),
    [
        ("otlp", ("otlp",), ("otlp", "azuremonitor")),
        ("azuremonitor", ("azuremonitor",), ("azuremonitor",)),
        ("console,azuremonitor", ("console", "azuremonitor"), ("console", "azuremonitor")),
        ("none", (), ()),
    ],
)
def test_chosen_exporters(
    chosen: str, by_setting: tuple[str, ...], by_code: tuple[str, ...]
) -> None:
    """`OTEL_TRACES_EXPORTER` says all that counts; code adds to it, unless it is `none`."""
    environ = {"OTEL_TRACES_EXPORTER": chosen, SETTING: GOOD}
    set_in_code = read_settings({"OTEL_TRACES_EXPORTER": chosen}, {"connection_string": GOOD})

    assert read_settings(environ).traces.exporters == by_setting
    assert set_in_code.traces.exporters == by_code


def test_code_wins() -> None:
    """What code gives is used, whatever the setting is."""
    settings = read_settings({SETTING: "odd"}, {"connection_string": GOOD})

    assert settings.connection_string == GOOD
    assert settings.problems == ()


def test_sdk_disabled() -> None:
    """With the SDK disabled nothing goes there."""
    assert read_settings({SETTING: GOOD, "OTEL_SDK_DISABLED": "true"}).exports_nothing


def test_asked_for_without_a_connection_string() -> None:
    """Who asks for it by name is told which setting is missing; the rest is used."""
    settings = read_settings({"OTEL_TRACES_EXPORTER": "azuremonitor", **ENDPOINT})

    assert settings.problems == (f"nothing goes to azuremonitor: set {SETTING}",)
    assert exporters(settings) == [(), ("otlp",), ("otlp",)]


@pytest.fixture
def _without_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no exporter installed."""
    monkeypatch.setattr(_azure_monitor, "find_spec", lambda _: None)
    monkeypatch.delitem(sys.modules, _azure_monitor.MODULE, raising=False)


@pytest.mark.usefixtures("_without_extra")
def test_without_the_extra() -> None:
    """Without the extra nothing is wrong, unless it is asked for by name."""
    implied = read_settings({SETTING: "InstrumentationKey=0", **ENDPOINT})
    named = read_settings({SETTING: GOOD, "OTEL_LOGS_EXPORTER": "azuremonitor"})
    chosen = {f"OTEL_{signal}_EXPORTER": "otlp" for signal in ("TRACES", "LOGS", "METRICS")}

    assert exporters(implied) == [("otlp",)] * 3
    assert implied.problems == ()
    assert implied.lacks_azure_monitor
    assert not read_settings({SETTING: GOOD, **chosen}).lacks_azure_monitor
    assert exporters(named) == [(), (), ()]
    assert "install funcscope[azuremonitor]" in named.problems[0]


@pytest.mark.usefixtures("_without_extra")
def test_import_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the integration without its extra says what to install."""
    for name in ("funcscope.contrib.azuremonitor", "funcscope.contrib.azuremonitor._configure"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    with pytest.raises(ImportError, match=r"install funcscope\[azuremonitor\]"):
        importlib.import_module("funcscope.contrib.azuremonitor")


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ("", "part 1 of 1 is empty"),
        (KEY, "part 1 of 1 is not NAME=VALUE"),
        (f"InstrumentationKey={KEY};", "part 2 of 2 is empty"),
        (f"InstrumentationKey={KEY.upper()}", "no InstrumentationKey that is a UUID in lower case"),
        ("IngestionEndpoint=https://x/", "no InstrumentationKey that is a UUID in lower case"),
        (f"InstrumentationKey={KEY};Authorization=aad", "its Authorization is not ikey"),
        (f"InstrumentationKey={KEY};IngestionEndpoint=x", "its IngestionEndpoint is not a URL"),
    ],
)
def test_wrong_connection_strings(given: str, wrong: str) -> None:
    """What is wrong is said, by code at once, of the setting when it is read; without the key."""
    with pytest.raises(TelemetryError, match=wrong) as raised:
        configure(given)
    assert KEY not in str(raised.value).lower()
    if given:
        settings = read_settings({SETTING: given, **ENDPOINT})
        (problem,) = settings.problems
        assert problem.startswith(f"nothing goes to azuremonitor: {SETTING} is not known: ")
        assert wrong in problem
        assert exporters(settings) == [("otlp",)] * 3


PARTS = st.sampled_from(
    ["", "=", "a", " a = b", f" InstrumentationKey={KEY}", f"InstrumentationKey={KEY}",
     f"instrumentationkey={KEY.upper()}", "IngestionEndpoint=https://secret/",
     "IngestionEndpoint=secret", "Authorization=secret", "Authorization=ikey",
     "EndpointSuffix=secret", "a=secret=b"]
)  # fmt: skip


@pytest.fixture(scope="module")
def parser() -> Any:
    """Borrow the exporter's own parser."""
    was_loaded = _azure_monitor.MODULE in sys.modules
    name = f"{_azure_monitor.MODULE}._connection_string_parser"
    found = importlib.import_module(name).ConnectionStringParser
    if not was_loaded:  # that an app has loaded it tells funcscope something
        sys.modules.pop(_azure_monitor.MODULE, None)
    return found


@given(given=st.lists(PARTS, max_size=4).map(";".join))
def test_it_agrees_with_the_exporter(parser: Any, given: str) -> None:
    """What passes is what the exporter takes, and no value is part of what is said otherwise."""
    wrong = connection_string_problem(given)
    if wrong is None:
        assert parser(given).instrumentation_key == KEY
        return
    assert "secret" not in wrong
    assert KEY not in wrong.lower()
    if "URL" not in wrong:  # the exporter finds out when it sends
        with pytest.raises(ValueError, match=r".+"):
            parser(given)


def test_it_is_not_shown() -> None:
    """Settings that are printed do not show it."""
    assert KEY not in repr(read_settings({SETTING: GOOD}))


@pytest.mark.parametrize(
    ("environ", "same"),
    [
        ({}, False),
        ({SETTING: GOOD}, True),
        ({SETTING: f"IngestionEndpoint=https://x/;instrumentationkey={KEY}"}, True),
        ({SETTING: f"InstrumentationKey={OTHER}"}, False),
        ({"APPINSIGHTS_INSTRUMENTATIONKEY": KEY}, True),
        ({SETTING: "odd"}, False),
    ],
)
def test_whose_resource_it_is(environ: dict[str, str], same: bool) -> None:
    """It is the host's resource where the host's key is the same, however it is written."""
    assert is_the_hosts(GOOD, environ) is same


@pytest.mark.parametrize(
    ("environ", "given", "owns", "failures"),
    [
        ({SETTING: GOOD}, None, True, True),
        ({SETTING: GOOD, "OTEL_TRACES_EXPORTER": "otlp", **ENDPOINT}, None, False, True),
        ({}, GOOD, False, False),
        ({SETTING: GOOD}, f"InstrumentationKey={OTHER}", False, False),
        ({SETTING: GOOD, **OTEL}, None, True, True),
        ({SETTING: GOOD, **OTEL, "PYTHON_ENABLE_OPENTELEMETRY": "1"}, None, True, False),
    ],
)
def test_what_the_host_does(
    environ: dict[str, str], given: str | None, owns: bool, failures: bool
) -> None:
    """The host has the request's span, and the exceptions, where it sends to the same resource."""
    settings = read_settings(environ, {} if given is None else {"connection_string": given})
    mode = host_mode(settings, environ)

    assert (mode.owns_request_span, mode.exports_failures) == (owns, failures)
    assert not host_mode(settings, environ, has_host=False).exports_failures


def test_exporters_are_known() -> None:
    """The setting's name for it is one of those that are named when one is wrong."""
    assert AZURE_MONITOR in _settings.EXPORTERS
