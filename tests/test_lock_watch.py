"""The watch over funcscope's locks sees what it is there for."""

from __future__ import annotations

import logging
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import LOCKS

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """Return what was found wrong, which is nothing of the test's own."""
    yield LOCKS.faults
    LOCKS.faults.clear()


def ours(name: str) -> Any:
    """Make two locks in a module that counts as funcscope's."""
    module = ModuleType(f"funcscope.{name}")
    exec("import threading\nfirst = threading.Lock()\nsecond = threading.RLock()", vars(module))
    return module


def test_either_order(faults: list[str]) -> None:
    """Two locks that are taken in either order are a fault, once."""
    made = ours("either")
    with made.first, made.second:
        pass
    assert faults == []
    with made.second, made.second, made.first:
        pass

    assert len(faults) == 1
    assert "are taken in either order" in faults[0]


@pytest.mark.parametrize(
    "what",
    [
        "a log handler",
        "an import",
        pytest.param(
            "the start of a thread",
            marks=pytest.mark.skipif(
                sys.version_info < (3, 12), reason="Python tells of new threads from 3.12 on"
            ),
        ),
    ],
)
def test_foreign_code(faults: list[str], what: str) -> None:
    """Others' code that runs while a lock is held is a fault, and none when it is released."""
    made = ours("foreign")

    def run() -> None:
        if what == "a log handler":
            logging.getLogger("x").warning("said")
        elif what == "an import":
            sys.modules.pop("this_is_no_module", None)
            with pytest.raises(ImportError):
                __import__("this_is_no_module")
        else:
            thread = threading.Thread(target=int)
            thread.start()
            thread.join()

    with made.first:
        run()
    found = list(faults)
    faults.clear()
    run()

    assert any(
        fault.startswith(f"{what} runs while funcscope.foreign:2 is held") for fault in found
    )
    assert faults == []


def test_others_locks() -> None:
    """Locks that others make are left as they are."""
    assert type(threading.Lock()).__name__ == "lock"
