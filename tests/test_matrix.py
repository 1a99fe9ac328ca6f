"""The page of what goes together."""

from __future__ import annotations

import pytest
from scripts.matrix import Outcome, page, pinned


@pytest.mark.parametrize(
    ("packages", "expected"),
    [
        ("logfire", "logfire==5.4.0"),
        ("Logfire sdk==1.40.0", "Logfire==5.4.0 sdk==1.40.0"),
        ("sdk==1.40.0 protobuf<5", "sdk==1.40.0 protobuf<5"),
        ("unknown", "unknown"),
    ],
)
def test_newest_version_is_named(packages: str, expected: str) -> None:
    """A package that was installed in its newest version is shown with it, others as asked for."""
    assert pinned(packages, {"logfire": "5.4.0", "sdk": "1.40.0", "protobuf": "4.25.9"}) == expected


def test_row() -> None:
    """A combination has a row with its versions, and what failed in it."""
    text = page([Outcome("logfire==5.4.0", {"protobuf": "7.36.2"}, "a|b")])

    assert "| `logfire==5.4.0` |  |  | 7.36.2 | fails: a/b |\n" in text
