"""
The environments beside this one, with what does not fit into it: `make test` makes them.

Those of `scripts/matrix.py` have none beside, and tests that need one are left out there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def python_beside(group: str) -> str:
    """Return the Python of the environment with a dependency group."""
    return f"{sys.prefix}-{group}/bin/python"


def needs(group: str) -> pytest.MarkDecorator:
    """Leave a test out, or a module's, where there is no such environment."""
    is_there = Path(python_beside(group)).exists()
    return pytest.mark.skipif(not is_there, reason=f"needs the environment with the group {group}")
