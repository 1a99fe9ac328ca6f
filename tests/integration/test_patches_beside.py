"""What is put in another's place, beside what others put there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.patience import PROCESS_S

pytestmark = [
    pytest.mark.library_worker,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork"),
]
SCRIPT = Path(__file__).with_name("patches_beside.py")
ASKED_MORE = {"Logger.isEnabledFor": {"plain under", "wrapt under", "plain under, taken off"}}
"""Where another's wrapper is called once more with us: to ask whether a level is on."""
LET_THROUGH = {"Logger.callHandlers, buffer"}
"""What lets one record more through, which the wrappers that others put over it see."""


@pytest.fixture(scope="module")
def told() -> Any:
    """Run the script, and return what came of each patch in each way."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROCESS_S,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_outcome_is_that_without_us(told: Any) -> None:
    """Called in any way, with others' wrappers under, over or gone, it does what it does bare."""
    wrong = {}
    for name, ways in told.items():
        bare = ways["without us"]
        for way, found in ways.items():
            if isinstance(found, str) or any(each != bare["found"][0] for each in found["found"]):
                wrong[name, way] = found
    assert wrong == {}


def test_wrappers_of_others_are_called_as_often(told: Any) -> None:
    """Ours neither leaves another's wrapper out nor calls it twice."""
    wrong = {}
    for name, ways in told.items():
        wanted = ways["without us"]["calls"]
        for way, found in ways.items():
            more = way in ASKED_MORE.get(name, ()) or (name in LET_THROUGH and " over" in way)
            if way != "bare" and found["calls"] != wanted + more:
                wrong[name, way] = found["calls"], wanted
    assert wrong == {}


def test_ours_works_all_the_same(told: Any) -> None:
    """With another's wrapper under or over it, the same code of ours runs as without."""
    wrong = {}
    for name, ways in told.items():
        assert ways["bare"]["ours"], name
        for way, found in ways.items():
            if way != "without us" and set(found["ours"]) != set(ways["bare"]["ours"]):
                wrong[name, way] = set(found["ours"]) ^ set(ways["bare"]["ours"])
    assert wrong == {}
