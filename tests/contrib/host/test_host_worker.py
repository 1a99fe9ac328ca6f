"""A library worker can be driven without HTTP, a receiver or a console."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.patience import PROCESS_S

pytestmark = pytest.mark.library_worker

APPS = Path(__file__).parents[2] / "apps"

# In a process of its own: a worker keeps its functions in module variables.
SCRIPT = """
import asyncio, json, os, sys
from pathlib import Path
from funcscope.contrib.host import LibraryWorker, find_app, function_rpc, trigger_data

async def main():
    worker = LibraryWorker.for_app(find_app(Path(sys.argv[1]), os.environ))
    functions = {f.name: f for f in await worker.start()}
    function = functions[sys.argv[2]]
    data = trigger_data("tea", function.trigger)
    outcome = await worker.invoke(
        function,
        {function.trigger["name"]: data.value, "template": function_rpc().TypedData()},
        invocation_id="0f8e",
        trace_parent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        metadata=data.metadata,
    )
    worker.stop()
    print(json.dumps({
        "functions": sorted(functions),
        "is_ok": outcome.is_ok,
        "outputs": {name: value.string for name, value in outcome.outputs.items()},
        "error": outcome.error,
        "frames": outcome.stack_trace.count("File "),
    }))

asyncio.run(main())
"""


def run(app: str, function: str) -> dict[str, object]:
    """Start an app, invoke one of its functions and return what came of it."""
    command = [sys.executable, "-c", SCRIPT, str(APPS / app), function]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROCESS_S, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return seen


def test_success() -> None:
    """An outcome holds the output bindings' values."""
    seen = run("host_v2", "queue")

    assert "echo" in str(seen["functions"])
    assert (seen["is_ok"], seen["outputs"], seen["error"]) == (True, {"out": "bill"}, "")


def test_failure() -> None:
    """An outcome holds the error, with the traceback that the worker gives."""
    seen = run("host_v2", "fail")

    assert seen["is_ok"] is False
    assert "unable to decode" in str(seen["error"])  # text for an HTTP trigger
    assert seen["frames"]
