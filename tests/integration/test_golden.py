"""
All that some apps export, compared with what is recorded in `tests/golden`.

`make golden` records it anew; what changed is then for `git diff` to show, and for its author to
explain. What is replaced because it differs from run to run: golden.py and golden_text.py.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.faults import FaultyReceiver
from tests.integration.golden import Export, received
from tests.integration.golden_text import ROOT, stable
from tests.sdk_versions import since

if TYPE_CHECKING:
    from funcscope.contrib.host import TelemetryStore

HERE = Path(__file__).parent
APPS, RECORDED, EVENTS = HERE.parent / "apps", HERE.parent / "golden", HERE.parent / "events"
IS_RECORDING = "RECORD_GOLDEN" in os.environ
SECRETS = "code=s3cretKey&x=1&sig=s3cretSignature"

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]
Asked = tuple[str, dict[str, Any]]  # a function, and what is said of the call


def get(function: str, url: str, **more: Any) -> Asked:
    """Ask for a path below the app's address."""
    return function, {"url": f"https://app.net/{url}", **more}


def sent(function: str, payload: str) -> Asked:
    """Send a payload of tests/events."""
    return function, {"event": json.loads((EVENTS / f"{payload}.json").read_text())}


def plays(name: str, given: list[str]) -> dict[str, Any]:
    """Play an orchestration."""
    return {"name": name, "instance": "i-1", "given": given, "functions": {"work": "work_on"}}


@dataclass(frozen=True)
class Case:
    """An app, and what is asked of it."""

    app: str
    calls: list[Asked] = field(default_factory=list)
    orchestrations: list[dict[str, Any]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)


IN_AZURE = {
    "WEBSITE_SITE_NAME": "shop",
    "WEBSITE_INSTANCE_ID": "instance-1",
    "WEBSITE_SLOT_NAME": "Staging",
    "WEBSITE_RESOURCE_GROUP": "rg",
    "WEBSITE_OWNER_NAME": "11111111-2222-3333-4444-555555555555+region",
    "WEBSITE_MEMORY_LIMIT_MB": "512",
    "REGION_NAME": "North Europe",
    "OTEL_RESOURCE_ATTRIBUTES": "team=payments",
}
TRIGGERS = {
    "SCHEDULE": "0 */5 * * * *",
    "QUEUE": "orders",
    "TOPIC": "payments",
    "TOOL": "save",
}
# azure-functions 2.3.0 warns of its own way to read an activity's input.
LENIENT = {"PYTHONWARNINGS": "error,ignore:azure.functions df_loads was called:DeprecationWarning"}
HEADERS = {"x-request-id": "7", "authorization": "s3cretToken", "user-agent": "tests/1"}
# What the worker says itself where an app's libraries have set up a console: with its version.
WORKERS_OWN = re.compile(r"^INFO:azure\b.*\n", re.MULTILINE)

CASES = [
    Case(
        "v2_golden",
        [
            *((name, {}) for name in ("logs", "logs_later", "threads", "spans", "measures")),
            *((name, {}) for name in ("fails", "fails_in_a_span", "guarded", "prints")),
            *(get("status", f"api/status/{code}") for code in (200, 302, 404, 500, 503)),
        ],
    ),
    Case(
        "v2",
        [
            get("hello", f"v2/hello/tea?{SECRETS}", headers=HEADERS),
            get("hello", "v2/hello", method="HEAD", trace_state="vendor=1"),
            get("later", "v2/later", trace_parent=""),
            get("boom", f"v2/boom?{SECRETS}"),
            get("boom_later", "v2/boom_later"),
            get("timing", "v2/timing"),
            ("orders", {"input": "one"}),
            ("orchestrator", {"input": {"history": []}}),
        ],
        env=IN_AZURE
        | {
            "QUEUE": "orders",
            "FUNCSCOPE_CAPTURE_REQUEST_HEADERS": "X-Request-Id,Authorization",
            "FUNCSCOPE_REDACT_STREAM": "on",
        },
    ),
    Case(
        "v1",
        [
            get("hello", f"api/hello?{SECRETS}"),
            get("later", "api/later"),
            get("early", "api/early"),
            ("orders", {"input": "one"}),
        ],
        env={"QUEUE": "orders"},
    ),
    Case(
        "v2_triggers",
        [
            sent("tick", "timer"),
            sent("queue", "queue"),
            sent("blob", "blob"),
            sent("bus_queue", "service_bus_one"),
            sent("bus_queue", "service_bus_no_properties"),
            sent("bus_topic", "service_bus_batch"),
            sent("bus_each", "service_bus_batch"),
            sent("hub_one", "event_hub_one"),
            sent("hub_batch", "event_hub_batch"),
            sent("grid_cloud", "event_grid_cloud"),
            sent("grid_own", "event_grid_own"),
            sent("cosmos", "cosmos"),
            sent("kafka_one", "kafka_one"),
            sent("kafka_batch", "kafka_batch"),
            *((name, sent(name, name)[1]) for name in ("sql", "mysql", "activity", "warmup")),
            *((name, sent(name, name)[1]) for name in ("mcp_tool", "signalr", "web_pubsub")),
            sent("generic", "generic"),
            sent("orchestration", "orchestration"),
        ],
        env=TRIGGERS | LENIENT,
    ),
    Case(
        "v1_triggers",
        [
            sent("tick", "timer"),
            sent("bus_topic", "service_bus_batch"),
            sent("hub_batch", "event_hub_batch"),
            sent("kafka_one", "kafka_one"),
            sent("grid_cloud", "event_grid_cloud"),
            sent("generic", "generic"),
        ],
        env=TRIGGERS,
    ),
    Case(
        "v2_durable_fan",
        orchestrations=[plays("steps", ["a", "bad", "c"]), plays("tidy", ["a", "b"])],
        env=LENIENT,
    ),
    Case(
        "v2_fastapi",
        [
            get("http_app_func", f"{path}?{SECRETS}")
            for path in ("items/1", "orders/3/lines/4", "threads/5", "fails/6", "missing/7")
        ],
    ),
    Case(
        "v2_flask",
        [
            get("http_app_func", f"{path}?{SECRETS}")
            for path in ("items/1", "shop/orders/2", "fails/3", "declines/4", "missing/5")
        ],
    ),
]


@pytest.fixture
def receiver() -> Iterator[tuple[FaultyReceiver, TelemetryStore]]:
    """Receive OTLP on loopback, and keep the bodies: what a store has leaves fields out."""
    receiver = FaultyReceiver()
    receiver.listen()
    yield receiver, receiver.store
    receiver.stop()


@since(45, "what the files were recorded with")
@pytest.mark.library_worker
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.app)
def test_export(
    run: Runner,
    call: Caller,
    receiver: tuple[FaultyReceiver, TelemetryStore],
    tmp_path: Path,
    case: Case,
) -> None:
    """What an app exports, logs, prints and answers is what was recorded, to the last byte."""
    lines = tmp_path / "lines.jsonl"
    calls = [
        call(function, id=f"00000000-0000-0000-0000-{number:012}", **said)
        for number, (function, said) in enumerate(case.calls, 1)
    ]
    result = run(
        case.app,
        calls,
        path="protobuf",
        env={**case.env, "GOLDEN_LINES": str(lines)},
        import_first=["own_lines"],
        host_stream=True,
        orchestrations=case.orchestrations,
    )
    export = json.dumps(told(result, receiver[0], case, lines), indent=1, ensure_ascii=False)
    file = RECORDED / f"{case.app}.json"
    if IS_RECORDING:
        file.write_text(export + "\n", encoding="utf-8")
    recorded = file.read_text(encoding="utf-8")
    changes = unified_diff(
        recorded.splitlines(), export.splitlines(), "recorded", "now", lineterm=""
    )

    assert "s3cret" not in json.dumps(received(receiver[0].requests))
    assert not (said := "\n".join(changes)), said


def told(result: Any, receiver: FaultyReceiver, case: Case, lines: Path) -> dict[str, Any]:
    """Return all that came of a run, as it is recorded."""
    played = [made for orchestration in result.played for made in orchestration["calls"]]
    names = {made["id"]: f"{made['function']} of {made['parent']}" for made in played}
    export = Export(
        received(receiver.requests),
        app=APPS / case.app,
        port=receiver.port,
        names=names,
    )
    own = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    streamed = [[invocation, said] for said, invocation in result.host_stream if invocation]
    played = [{k: v for k, v in one.items() if k != "calls"} for one in result.played]
    return {
        **export.told(),
        "own_lines": export.stable([" ".join(line) for line in own]),
        "host_stream": sorted(export.stable(streamed), key=lambda row: str(row[0])),
        "stdout": export.stable(result.stdout),
        "stderr": export.stable(WORKERS_OWN.sub("", result.stderr)),
        "answers": export.stable(result.outcomes),
        "orchestrations": export.stable(played),
        "left_behind": result.leaks,
    }


def test_every_file_is_compared() -> None:
    """No file lies in tests/golden without an app whose export it is."""
    assert {file.stem for file in RECORDED.glob("*.json")} == {case.app for case in CASES}


def test_our_frames_may_move(tmp_path: Path) -> None:
    """A stack is recorded alike wherever our modules lie, and not where the app's frames do."""

    def recorded(ours: str, app: str) -> str:
        frame = '  File "{}", line 7, in call\n    call()\n    ~~~~^^\n'
        return stable(frame.format(ROOT / ours) + frame.format(tmp_path / app), tmp_path)

    here = recorded("extensions/funcscope/extensions/_drivers.py", "function_app.py")
    moved = recorded("extensions/funcscope/extensions/workers/_call.py", "function_app.py")

    assert here == moved == '  <funcscope>\n  File "<app>/function_app.py", in call\n    call()\n'
    assert here != recorded("extensions/funcscope/extensions/_drivers.py", "orders.py")
