"""The how-to's app and tests, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "test-your-functions.md"


def test_how_to(pytester: pytest.Pytester) -> None:
    """The app's tests pass, and so does the unit test of Microsoft's guide."""
    for name, code in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (pytester.path / name).write_text(code)
    pytester.makeini("[pytest]\nfilterwarnings = error\npythonpath = .\n")
    result = pytester.runpytest_subprocess(
        "-p", "funcscope.contrib.testing", "-p", "no:cacheprovider"
    )

    result.assert_outcomes(passed=6)


def test_setting_of_the_how_to() -> None:
    """The setting that it shows is the plugin's."""
    assert "funcscope_app = " in PAGE.read_text()
