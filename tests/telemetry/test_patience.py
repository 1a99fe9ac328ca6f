"""How long children wait for what they recorded to be sent."""

from __future__ import annotations

import os

import pytest

from funcscope.telemetry._recording.patience import Patience

LONG, SHORT, HOLDS = 5.0, 0.5, 30.0


class Clock:
    """A clock that stands until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_who_comes_after_a_long_wait_in_vain_waits_less() -> None:
    """After one has waited long in vain, others wait a little; and long again after a while."""
    clock = Clock()
    patience = Patience(LONG, SHORT, HOLDS, clock)
    assert patience.wait_s() == LONG

    patience.waited(LONG, is_done=False)
    assert patience.wait_s() == SHORT
    clock.now += HOLDS / 2
    patience.waited(SHORT, is_done=False)  # which is no reason to go on so
    assert patience.wait_s() == SHORT
    clock.now += HOLDS / 2
    assert patience.wait_s() == LONG


def test_who_has_nothing_to_send_changes_nothing() -> None:
    """A child that is done at once, as it recorded nothing, does not have others wait again."""
    patience = Patience(LONG, SHORT, HOLDS, Clock())
    patience.waited(LONG, is_done=True)
    assert patience.wait_s() == LONG

    patience.waited(LONG, is_done=False)
    patience.waited(SHORT, is_done=True)
    assert patience.wait_s() == SHORT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_forked_children_know_of_each_other() -> None:
    """What one forked child has found out, its parent and the next child know."""
    patience = Patience(LONG, SHORT, HOLDS, Clock())
    patience.share()
    if (child := os.fork()) == 0:
        patience.waited(LONG, is_done=False)
        os._exit(0)
    os.waitpid(child, 0)

    assert patience.wait_s() == SHORT
