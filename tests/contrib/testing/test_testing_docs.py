"""The how-to's app and tests, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.snippets import snippets_of
from tests.docs.console import pattern_of

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "test-your-functions.md"


FAILING = """
import azure.functions as func
def test_stored(invoke, spans):
    req = func.HttpRequest("GET", "/api/orders/17", route_params={"id": "17"}, body=b"")
    invoke("orders", req, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    assert "store-order" in spans
"""


def write_files(folder: Path) -> None:
    """Write the files that the page shows."""
    for name, code in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (folder / name).write_text(code)


def test_how_to(pytester: pytest.Pytester) -> None:
    """The app's tests pass, and so does the unit test of Microsoft's guide."""
    write_files(pytester.path)
    pytester.makeini("[pytest]\nfilterwarnings = error\npythonpath = .\n")
    result = pytester.runpytest_subprocess(
        "-p", "funcscope.contrib.testing", "-p", "no:cacheprovider"
    )

    result.assert_outcomes(passed=6)


def test_failure(pytester: pytest.Pytester) -> None:
    """A test that fails shows the trace as the page does."""
    write_files(pytester.path)
    pytester.makeini("[pytest]\n")
    (pytester.path / "test_failing.py").write_text(FAILING)
    failed = pytester.runpytest_subprocess(
        "-p", "funcscope.contrib.testing", "-p", "no:cacheprovider", "--tb=short", "test_failing.py"
    )
    (shown,) = (s for s in snippets_of("docs/how-to/test-your-functions.md") if "E   A" in s.text)

    assert pattern_of(shown.text).search(failed.stdout.str())


def test_setting_of_the_how_to() -> None:
    """The setting that it shows is the plugin's."""
    assert "funcscope_app = " in PAGE.read_text()
