"""Azurite for tests: one for each process that needs it, and an account for each that asks."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from scripts.services import find_azurite, run_azurite

if TYPE_CHECKING:
    from collections.abc import Iterator

_ACCOUNTS = [f"account{number}" for number in range(1, 201)]  # more than any run asks for


class Azurite:
    """
    A running Azurite.

    Args:
        accounts: The connection string of each of its accounts.
    """

    def __init__(self, accounts: dict[str, str]) -> None:
        self._unused = iter(accounts.values())

    def new_account(self) -> str:
        """Return the connection string of an account that nobody has used: it is empty."""
        return next(self._unused)


@contextmanager
def running_azurite() -> Iterator[Azurite]:
    """Run Azurite on free ports, in memory; skip the test where there is none."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js, which runs Azurite")
    script = find_azurite(fetch=False)
    if not script.exists():
        pytest.skip("Azurite is not installed: python3 scripts/services.py --set-up-node")
    with (
        tempfile.TemporaryDirectory(prefix="funcscope-azurite-") as folder,
        run_azurite(script, Path(folder), _ACCOUNTS) as accounts,
    ):
        yield Azurite(accounts)
