"""The code in the how-to does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.patience import PROCESS_S

from funcscope.contrib.host import demo

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "local-host.md"


@pytest.mark.library_worker
def test_example_runs() -> None:
    """The example under "In tests" runs as it stands, here on the demo's app."""
    (example,) = re.findall(r"^```python\n(.*?)^```$", HOW_TO.read_text("utf-8"), re.M | re.S)
    directory = Path(demo.__path__[0]) / "app"

    done = subprocess.run(
        [sys.executable, "-c", example.replace("path/to/app", directory.as_posix())],
        capture_output=True,
        encoding="utf-8",
        timeout=PROCESS_S,
        check=False,
        env={n: v for n, v in os.environ.items() if not n.startswith("OTEL_")},
    )

    assert done.returncode == 0, done.stderr
