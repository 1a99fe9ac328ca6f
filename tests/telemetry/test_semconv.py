"""The table of names against the conventions of two versions, and the choice between them."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from tests.telemetry.test_triggers_reference import NAME, ROOT, SOURCES, conventional_names

from funcscope.telemetry._config.resource import app_attributes
from funcscope.telemetry._scope import get_tracer
from funcscope.telemetry._semconv import (
    NAMES,
    NAMES_1_44,
    OPT_IN,
    RENAMED,
    RESOURCE_GROUP,
    SYSTEM_NAME,
    SYSTEMS,
    read_names,
)

PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parent / "semconv_1_45.json").read_text())
"""What the npm package @opentelemetry/semantic-conventions 1.45.0 says of names of ours."""

NEWER = {old: new for names in RENAMED.values() for old, new in names.items()}
MOVED = "moved to semantic-conventions-genai"


def test_table_is_of_the_installed_conventions() -> None:
    """Every name of the table is one of the installed package's, which are of 1.44."""
    assert set(NAMES) <= conventional_names()


def test_table_has_what_is_emitted() -> None:
    """Every name of the table is in the product, beside the table."""
    web = sorted((ROOT / "contrib" / "funcscope" / "contrib" / "web").glob("*.py"))
    texts = [file.read_text() for file in (*SOURCES, *web) if file.name != "_semconv.py"]
    said = {name for text in texts for name in NAME.findall(text)} | {"faas.invocation_id"}

    assert set(NAMES) - said == set()


def test_renamed_as_published() -> None:
    """What 1.45 has no more, or has under another name, is renamed as it says, and no more is."""
    deprecated = {o: n for o, n in PUBLISHED["deprecated"].items() if n != MOVED}

    assert {old: NEWER.get(old) for old in deprecated} == deprecated
    assert NEWER.keys() == deprecated.keys() | set(PUBLISHED["gone"])
    assert {*NEWER.values(), RESOURCE_GROUP, *SYSTEMS.values()} <= set(PUBLISHED["current"])
    assert {n for n in NAMES if n not in NEWER} <= {*PUBLISHED["current"], *PUBLISHED["deprecated"]}


@pytest.mark.parametrize(
    ("opt_in", "faas", "messaging"),
    [
        ("", "old", "old"),
        ("http,database/dup,gen_ai_latest_experimental", "old", "old"),
        ("faas", "new", "old"),
        ("http, messaging ,unheard-of", "old", "new"),
        ("faas/dup", "both", "old"),
        ("faas,messaging/dup,messaging,faas/dup", "both", "both"),
    ],
)
def test_opted_in(opt_in: str, faas: str, messaging: str) -> None:
    """The tokens choose for their own family, a dup over the plain one, and others' say nothing."""
    said = read_names({OPT_IN: opt_in}).apply({"faas.time": "t", "messaging.system": "kafka"})

    expected = {
        "old": ({"faas.time"}, {"messaging.system"}),
        "new": ({"faas.invocation.start_time"}, {SYSTEM_NAME}),
        "both": ({"faas.time", "faas.invocation.start_time"}, {"messaging.system", SYSTEM_NAME}),
    }
    assert said.keys() == expected[faas][0] | expected[messaging][1]


@pytest.mark.parametrize("opt_in", ["", "http", "http/dup", "http,http/dup", " http ,x"])
def test_tokens_are_read_as_others_read_them(opt_in: str) -> None:
    """OpenTelemetry's instrumentations take the same text of their family for the same choice."""
    others: Any = importlib.import_module("opentelemetry.instrumentation._semconv")  # untyped
    modes = others._StabilityMode
    tokens = [token.strip() for token in opt_in.split(",")]
    chosen = others._OpenTelemetrySemanticConventionStability._filter_mode(
        tokens, modes.HTTP, modes.HTTP_DUP
    )
    ours = read_names({OPT_IN: opt_in.replace("http", "faas")}).renamed.get("faas.time", ())

    assert others._report_new(chosen) == ("faas.invocation.start_time" in ours)
    assert (others._report_old(chosen) and bool(ours)) == ("faas.time" in ours)


@pytest.mark.parametrize(("old", "new"), SYSTEMS.items())
def test_systems(old: str, new: str) -> None:
    """Each name of a system has the value of its own version."""
    said = read_names({OPT_IN: "messaging/dup"}).apply({"messaging.system": old})

    assert said == {"messaging.system": old, SYSTEM_NAME: new}


def test_host_finds_each_id() -> None:
    """Whatever the names, the host's own for an invocation's id is among them."""
    for opt_in in ("", "faas", "faas/dup"):
        assert "InvocationId" in read_names({OPT_IN: opt_in}).invocation_id


def test_schema_is_of_what_is_emitted() -> None:
    """The schema is of 1.45 as soon as one of its names is emitted, as others tell it."""
    schemas = {o: read_names({OPT_IN: o}).schema_url for o in ("", "http", "faas", "messaging/dup")}

    assert [re.sub(".*/", "", url) for url in schemas.values()] == ["1.44.0"] * 2 + ["1.45.0"] * 2
    assert read_names({}) == NAMES_1_44


@pytest.mark.parametrize("opt_in", ["", "faas/dup"])
def test_scope_has_the_schema(opt_in: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes our spans is asked for with the schema of the names that are asked for."""
    asked: dict[str, object] = {}
    monkeypatch.setenv(OPT_IN, opt_in)
    monkeypatch.setattr(trace, "get_tracer", lambda *_args, **options: asked.update(options))
    get_tracer()

    assert asked == {"schema_url": read_names({OPT_IN: opt_in}).schema_url}


@pytest.mark.parametrize(("opt_in", "expected"), [("", None), ("faas", "rg"), ("faas/dup", "rg")])
def test_resource_group(opt_in: str, expected: str | None) -> None:
    """The resource group is told where it is known and the names of 1.45 are asked for."""
    azure = {"WEBSITE_SITE_NAME": "app", "WEBSITE_RESOURCE_GROUP": "rg", OPT_IN: opt_in}

    assert app_attributes(azure).get(RESOURCE_GROUP) == expected
    assert RESOURCE_GROUP not in app_attributes({**azure, "WEBSITE_RESOURCE_GROUP": ""})
