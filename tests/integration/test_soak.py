"""Many invocations at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.patience import PROCESS_S

HERE = Path(__file__).parent
CALLS = 10_000
MIB = 1024 * 1024


@pytest.mark.library_worker
def test_ten_thousand_invocations() -> None:
    """64 at a time, nothing leaks: no context, no memory, no hook lost or doubled."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, str(HERE / "soak.py"), str(HERE.parent / "apps" / "v2")],
        env={**environ, "OTEL_TRACES_EXPORTER": "console"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=PROCESS_S,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stderr.splitlines()[-1])
    steps = [f"{step} {n}" for step in ("pre", "post", "in", "out") for n in range(5)]

    assert result["counts"] == dict.fromkeys([*steps, "ok"], CALLS)
    assert result["leaks"] == []
    assert result["grown"] < 2 * MIB
