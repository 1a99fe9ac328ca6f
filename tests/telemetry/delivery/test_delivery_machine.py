"""
All of delivery, at random: collectors of all kinds, crashes, forks, clocks, processes on one spool.

`FUNCSCOPE_EXAMPLES=1000` runs so many examples, at random; else there are few, always the same.
"""

from __future__ import annotations

import ast
import contextlib
import os
import shutil
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from scripts.delivery_states import STATES, TRANSITIONS
from tests.telemetry.delivery.destination import BEHAVIOURS, Destination
from tests.telemetry.delivery.nodes import Nodes

from funcscope.telemetry._delivery import stats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.telemetry.delivery.destination import Reception
    from tests.telemetry.delivery.nodes import Node

EXAMPLES = int(os.environ.get("FUNCSCOPE_EXAMPLES", "0"))

PATIENCE_S = 30.0  # of which each try to make a failing example smaller may take as much
GRACE_S = 15.0  # far below the time-out of a request, and above what a busy machine needs
SIGNALS = {"traces": 0, "logs": 1, "metrics": 0}
"""The signals, and which of the two destinations each has."""
ITEM_BYTES, REQUEST_BYTES = 6, 64  # what one takes at least, and beside its items at most
MAX_SUBMITTED = 64
STEPS = ("queued", "sent", "retried", "spooled")
COUNTED = {transition.counted for transition in TRANSITIONS} - {""}
AFTER_ALL_WAITS_S = 4_000.0  # time-outs, backoff, `Retry-After` and quarantine
AFTER_A_LEASE_S = 700.0

short = st.sampled_from([0.0, 0.02, 0.1])
any_node = st.integers(0, 2)
any_behaviour = st.sampled_from(list(BEHAVIOURS))
any_destination = st.integers(0, 1)


@dataclass
class Life:
    """
    What is known of one process.

    Attributes:
        node: The process.
        put: What it was given, by signal.
        counts: What it told last.
        is_killed: Whether it was.
    """

    node: Node
    put: Counter[str] = field(default_factory=Counter)
    counts: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_killed: bool = False

    @property
    def dropped(self) -> int:
        """How many items it has counted as lost."""
        return sum(sum(c["dropped"].values()) for c in self.counts.values())

    @property
    def waiting(self) -> int:
        """How many items it had in memory."""
        return sum(int(c["waiting"]) for c in self.counts.values())

    def unsaved(self, *, has_spool: bool) -> int:
        """Return how many items were at most in memory alone, or being encoded or written."""
        # Of what was spooled some may have been sent or dropped, too.
        name, known = ("spooled", 0) if has_spool else ("sent", self.dropped)
        known += sum(int(counts[name]) for counts in self.counts.values())
        return max(0, self.put.total() - known)


class Delivering(RuleBasedStateMachine):
    """Processes that record, and all that can go wrong."""

    nodes: Nodes

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.destinations = [Destination(), Destination()]
        self.lives: list[Life] = []
        self.alive: list[Life] = []
        self.recorded = 0
        self.seen: set[str] = set()
        self.errors: set[int] = set()
        self.disturbed: set[tuple[str, int, int]] = set()
        self.ambiguous: set[int] = set()
        self.started = 0
        self.at_once = 0
        self.is_skewed = False
        self.wall_has_jumped = False

    def teardown(self) -> None:
        """Let everything arrive that can, and look at what did."""
        try:
            if self.lives:
                self.settle()
                self.check_everything()
        finally:
            for life in self.alive:
                life.node.kill()
            for destination in self.destinations:
                destination.close()
            shutil.rmtree(self.folder)

    @initialize(
        at_once=st.sampled_from([1, 3]),
        has_spool=st.booleans(),
        spool_blocks=st.sampled_from([4, 64]),
        memory_bytes=st.sampled_from([150, 2_000, 1 << 20]),
        capacity=st.sampled_from([8, 40, 1_000]),
        max_items=st.sampled_from([4, 20]),
        are_up=st.sampled_from([(True, True), (True, False), (False, True), (False, False)]),
    )
    def begin(
        self,
        at_once: int,
        has_spool: bool,
        spool_blocks: int,
        memory_bytes: int,
        capacity: int,
        max_items: int,
        are_up: tuple[bool, bool],
    ) -> None:
        """Choose what stays as it is."""
        self.at_once = at_once
        self.options: dict[str, Any] = {
            "spool": str(self.folder / "spool") if has_spool else "",
            "spool_bytes": spool_blocks * 4096,
            "memory_bytes": memory_bytes,
            "capacity": capacity,
            "max_items": max_items,
            "targets": {s: self.destinations[of].endpoint for s, of in SIGNALS.items()},
        }
        self.may_fill_spool = has_spool and spool_blocks < 64
        for destination, is_up in zip(self.destinations, are_up, strict=True):
            if is_up:
                destination.return_()
        self.start()

    @precondition(lambda self: len(self.alive) < self.at_once)
    @rule()
    def start(self) -> None:
        """Start a process."""
        self.started += 1
        self._has_started(self.nodes.start(self.started, **self.options))

    @precondition(lambda self: 0 < len(self.alive) < self.at_once)
    @rule(which=any_node)
    def fork(self, which: int) -> None:
        """Fork a process."""
        self.started += 1
        self._has_started(self._life(which).node.fork(self.started))

    @precondition(lambda self: self.alive)
    @rule(
        which=any_node,
        signal=st.sampled_from(list(SIGNALS)),
        number=st.sampled_from([1, 3, 10, 60]),
        times=st.sampled_from([1, 3, 70]),
        is_error=st.booleans(),
        then=st.sampled_from(["", "flush_soon", "flush"]),
    )
    def record(
        self, which: int, signal: str, number: int, times: int, is_error: bool, then: str
    ) -> None:
        """Record items, and be busy, idle, or wait until they are sent."""
        life = self._life(which)
        if signal == "metrics":
            for _ in range(times):
                self._record(life, signal, min(number, 10))
        else:
            self._record(life, signal, number * times, is_error=is_error)
        if then == "flush_soon":
            self._ask(life, "flush_soon")
        elif then == "flush":
            self.flush(which, 0.1)

    @precondition(lambda self: self.alive)
    @rule(which=any_node, timeout_s=st.sampled_from([0.0, 0.1, 1.0]))
    def flush(self, which: int, timeout_s: float) -> None:
        """Wait for what is sent."""
        answer = self._ask(self._life(which), "flush", timeout_s=timeout_s)
        assert answer["took_s"] < timeout_s + GRACE_S

    @precondition(lambda self: self.alive)
    @rule(which=any_node, budget_s=short)
    def drain(self, which: int, budget_s: float) -> None:
        """Send or save within a budget, and go on."""
        with self._disturbing([self._life(which)]):
            answer = self._ask(self._life(which), "drain", budget_s=budget_s)
        assert answer["took_s"] < budget_s + GRACE_S

    @precondition(lambda self: self.alive)
    @rule(which=any_node, budget_s=short)
    def shutdown(self, which: int, budget_s: float) -> None:
        """End a process in good order."""
        self._shut_down(self._life(which), budget_s)

    @precondition(lambda self: self.alive)
    @rule(which=any_node)
    def kill(self, which: int) -> None:
        """End a process in the middle of whatever it does."""
        life = self._life(which)
        self._look(life)
        with self._disturbing([life]):
            life.node.kill()
        life.is_killed = True
        self.alive.remove(life)

    @rule(which=any_destination, kinds=st.lists(any_behaviour, min_size=1, max_size=6))
    def misbehave(self, which: int, kinds: list[str]) -> None:
        """Say what a collector does with the next requests."""
        self.destinations[which].plan = list(kinds)
        self.destinations[which].return_()

    @precondition(lambda self: self.alive)
    @rule(which=any_node, of=any_destination, budget_s=short, is_forked=st.booleans())
    def hang(self, which: int, of: int, budget_s: float, is_forked: bool) -> None:
        """Have a collector say nothing to a request, and a process that goes on or forks."""
        life, destination = self._life(which), self.destinations[of]
        self.misbehave(of, ["hangs"] * 3)
        self._record(life, "logs" if of else "traces", 3)
        self.flush(which, budget_s)
        self._record(life, "logs" if of else "traces", 3)
        if is_forked and len(self.alive) < self.at_once:
            self.fork(which)
        destination.plan = []

    @rule(which=any_destination)
    def die(self, which: int) -> None:
        """Have a collector die."""
        with self._disturbing(self.alive):
            self.destinations[which].die()

    @rule(which=any_destination)
    def come_back(self, which: int) -> None:
        """Have a collector there again."""
        self.destinations[which].return_()

    @precondition(lambda self: self.alive)
    @rule(which=any_node, passed_s=st.sampled_from([1.5, 40.0, AFTER_ALL_WAITS_S]))
    def let_time_pass(self, which: int, passed_s: float) -> None:
        """Have a process's waits over: time-outs, backoff, quarantine."""
        self._jump(self._life(which), passed_s, 0.0)

    @precondition(lambda self: self.alive)
    @rule(which=any_node, jump_s=st.sampled_from([-1e6, -50.0, 0.5, 50.0, 49 * 3600.0]))
    def set_the_wall_clock(self, which: int, jump_s: float) -> None:
        """Have a process's wall clock jump; by two days, what is on disk is too old."""
        self.wall_has_jumped = True
        self.is_skewed = self.is_skewed or abs(jump_s) > 60
        self._jump(self._life(which), 0.0, jump_s)

    @precondition(lambda self: len(self.alive) > 1 and self.options["spool"])
    @rule(which=any_node, of=any_destination)
    def compete(self, which: int, of: int) -> None:
        """Have all processes send at once what one of them has spooled."""
        self.die(of)
        self._record(self._life(which), "logs" if of else "traces", 60)
        self.flush(which, 0.1)
        self.misbehave(of, ["200, slowly"] * 6)
        for life in self.alive:
            self._record(life, "logs" if of else "traces", 1)
            self._jump(life, AFTER_ALL_WAITS_S, 0.0)
        for place in range(len(self.alive)):
            self.flush(place, 1.0)

    @invariant()
    def nothing_grows_beyond_its_bounds(self) -> None:
        """Queues, memory and the spool have at most what they may."""
        if not self.lives:
            return
        options = self.options
        biggest = REQUEST_BYTES + ITEM_BYTES * max(options["max_items"], 10)
        encoded = (options["memory_bytes"] + len(SIGNALS) * biggest) // ITEM_BYTES
        for life in self.alive:
            self._look(life)
            for signal, counts in life.counts.items():
                in_queue = MAX_SUBMITTED * 10 if signal == "metrics" else options["capacity"] + 1
                assert counts["waiting"] <= in_queue + encoded, signal
        if not self.is_skewed:  # quotas hold as far as clocks agree
            assert self._on_disk() <= options["spool_bytes"]

    @invariant()
    def everything_is_counted(self) -> None:
        """Of what was put, all was queued, and is sent, waits or was dropped, or is on disk."""
        for life in self.alive:
            self._wait_until_it_adds_up(life)

    def settle(self) -> None:
        """Let everything arrive that can."""
        for destination in self.destinations:
            destination.plan = []
            destination.return_()
        for life in self.alive[1:]:
            self._jump(life, AFTER_ALL_WAITS_S, 0.0)
            self._shut_down(life, 1.0)
        if not self.alive:
            self.start()
        (life,) = self.alive
        for signal in SIGNALS:  # who records something looks what others have left
            self._record(life, signal, 1)
        until = time.monotonic() + PATIENCE_S
        while True:
            self._jump(life, AFTER_ALL_WAITS_S, AFTER_A_LEASE_S)
            is_all_sent = self._ask(life, "flush", timeout_s=5.0)["is_all_sent"]
            self._look(life)
            if is_all_sent and not self._on_disk():
                break
            assert time.monotonic() < until, (life.counts, list(self.folder.rglob("*")))
        self._shut_down(life, PATIENCE_S)

    def check_everything(self) -> None:
        """Nothing is lost uncounted, nothing comes twice, and what can be in order is."""
        self.ambiguous = self._ambiguous()
        receptions = [r for d in self.destinations for r in d.receptions]
        certain = {n for r in receptions if r.is_answered for n in r.taken}
        sure = {n for r in receptions if self._is_sure(r) for n in r.taken}
        lost = set(range(self.recorded)) - certain
        dropped = sum(life.dropped for life in self.lives)
        has_spool = bool(self.options["spool"])
        killed = [life for life in self.lives if life.is_killed]
        perhaps = sum(life.unsaved(has_spool=has_spool) for life in killed)
        assert dropped <= len(lost) + len(certain - sure)
        # What a process dropped of the spool between its last report and its end nobody has told.
        if not (killed and (self.may_fill_spool or self.is_skewed)):
            assert len(lost) <= dropped + perhaps, sorted(lost)
        for life in self.lives:
            self._check_sent(life, receptions)
        if not self.is_skewed:
            self._check_doubled()
        if len(self.lives) == 1 and not self.wall_has_jumped:
            for signal in SIGNALS:
                self._check_order(signal)

    def _check_sent(self, life: Life, receptions: list[Reception]) -> None:
        """What a process says that it sent is what was taken of it."""
        mine = [r for r in receptions if r.node == life.node.number and r.is_answered]
        sent = sum(c["sent"] for c in life.counts.values())
        if not life.is_killed:
            assert sum(len(r.taken) for r in mine if self._is_sure(r)) <= sent
        assert sent <= sum(len(r.taken) for r in mine)

    def _check_doubled(self) -> None:
        """What was taken and answered does not come again."""
        for destination in self.destinations:
            done: set[int] = set()
            for reception in destination.receptions:
                again = done & set(reception.taken)
                assert not again, [r for r in destination.receptions if again & set(r.taken)]
                if self._is_sure(reception):
                    done.update(reception.taken)

    def _check_order(self, signal: str) -> None:
        """What is not sent again comes as it was put, apart from errors, which go first."""
        came: dict[int, None] = {}  # each when it came first
        for destination in self.destinations:
            for reception in destination.receptions:
                if reception.signal == signal:
                    came.update(dict.fromkeys(reception.numbers))
        (life,) = self.lives
        retried = life.counts[signal]["retried"]
        for are_errors in (False, True):
            numbers = [number for number in came if (number in self.errors) is are_errors]
            assert len(numbers) - longest_increasing(numbers) <= retried, (signal, numbers)

    def _is_sure(self, reception: Reception) -> bool:
        is_whole = reception.is_answered and reception.is_whole
        return is_whole and id(reception) not in self.ambiguous

    def _adds_up(self, life: Life) -> bool:
        self._look(life)
        for signal, counts in life.counts.items():
            if counts["queued"] != life.put[signal]:
                return False
            got = counts["sent"] + counts["waiting"] + sum(counts["dropped"].values())
            if not self.options["spool"] and got != counts["queued"]:
                return False
        return True

    def _wait_until_it_adds_up(self, life: Life) -> None:
        until = time.monotonic() + PATIENCE_S
        while not self._adds_up(life):
            assert time.monotonic() < until, (life.put, life.counts)

    def _has_started(self, node: Node) -> None:
        life = Life(node)
        self.lives.append(life)
        self.alive.append(life)

    def _life(self, which: int) -> Life:
        return self.alive[which % len(self.alive)]

    def _record(self, life: Life, signal: str, number: int, *, is_error: bool = False) -> None:
        numbers = list(range(self.recorded, self.recorded + number))
        self.recorded += number
        life.put[signal] += number
        if is_error:
            self.errors.update(numbers)
        if signal == "metrics":
            self._ask(life, "submit", signal=signal, numbers=numbers)
        else:
            self._ask(life, "put", signal=signal, numbers=numbers, is_error=is_error)

    def _ask(self, life: Life, do: str, **args: Any) -> dict[str, Any]:
        answer = life.node.ask(do, **args)
        if do not in ("flush", "drain", "shutdown"):
            assert answer["took_s"] < GRACE_S, f"{do} waited"
        return answer

    def _look(self, life: Life) -> None:
        life.counts = self._ask(life, "snapshot")["counts"]
        for counts in life.counts.values():
            self.seen.update(counts["dropped"])
            self.seen.update(name for name in STEPS if counts[name])
        assert self.seen <= COUNTED

    def _jump(self, life: Life, monotonic_s: float, wall_s: float) -> None:
        with self._disturbing([life]):
            self._ask(life, "jump", monotonic_s=monotonic_s, wall_s=wall_s)

    def _shut_down(self, life: Life, budget_s: float) -> None:
        with self._disturbing([life]):
            answer = self._ask(life, "shutdown", budget_s=budget_s)
        assert answer["shutdown_s"] < budget_s + GRACE_S
        assert answer["threads"] == []
        self._wait_until_it_adds_up(life)
        assert life.waiting == 0
        life.node.kill()
        self.alive.remove(life)

    def _on_disk(self) -> int:
        total = 0
        for file in (self.folder / "spool").glob("*"):
            try:
                total += -(-file.stat().st_size // 4096) * 4096
            except FileNotFoundError:
                continue
        return total

    @contextlib.contextmanager
    def _disturbing(self, lives: list[Life]) -> Iterator[None]:
        """
        Note which answers a process may not have read, for what is done here.

        Those are the last before, all meanwhile, and the next: it may have been on its way.
        """
        numbers = [life.node.number for life in lives]
        before = [len(self._of(d, n)) for d in self.destinations for n in numbers]
        yield
        pairs = [(d, n) for d in self.destinations for n in numbers]
        for (destination, number), count in zip(pairs, before, strict=True):
            after = len(self._of(destination, number))
            places = range(max(0, count - 1), after + 1)
            self.disturbed.update((destination.endpoint, number, place) for place in places)

    def _of(self, destination: Destination, number: int) -> list[Reception]:
        return [r for r in tuple(destination.receptions) if r.node == number]

    def _ambiguous(self) -> set[int]:
        """Return which answers a process may not have read."""
        of_each: Counter[tuple[str, int]] = Counter()
        found = set()
        for destination in self.destinations:
            for reception in destination.receptions:
                sender = (destination.endpoint, reception.node)
                if (*sender, of_each[sender]) in self.disturbed:
                    found.add(id(reception))
                of_each[sender] += 1
        return found


def longest_increasing(numbers: list[int]) -> int:
    """Return how many are left at least if those are taken out that are out of order."""
    ends: list[int] = []
    for number in numbers:
        place = bisect_left(ends, number)
        ends[place : place + 1] = [number]
    return len(ends)


pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@pytest.fixture(autouse=True)
def _nodes() -> Iterator[None]:
    """Have a process that all others are forked of."""
    folder = Path(tempfile.mkdtemp())  # whose name is short enough for a socket
    Delivering.nodes = Nodes(folder)
    yield
    Delivering.nodes.close()
    shutil.rmtree(folder)


def test_whatever_happens() -> None:
    """Nothing is lost uncounted, nothing comes twice, nothing grows or waits beyond its bounds."""
    run_state_machine_as_test(
        Delivering,
        settings=settings(
            deadline=None,
            derandomize=not EXAMPLES,
            max_examples=EXAMPLES or 60,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_all_that_is_counted_is_seen() -> None:
    """Each step and each reason of the state table comes about."""
    seen: set[str] = set()
    for run in (in_memory, on_disk):
        delivering = Delivering()
        run(delivering)
        delivering.teardown()
        seen |= delivering.seen

    assert seen == COUNTED


def in_memory(delivering: Delivering) -> None:
    """Have all that comes about without a spool."""
    delivering.begin(1, False, 64, 150, 8, 4, (True, True))
    (life,) = delivering.alive
    for answer in ("200", "503", "200, a part", "400"):
        delivering.misbehave(0, [answer])
        delivering.record(0, "traces", 3, 1, False, "flush")
        delivering.let_time_pass(0, AFTER_ALL_WAITS_S)
        delivering.flush(0, PATIENCE_S)
    life.node.ask("put_nonsense", signal="logs")
    life.put["logs"] += 1
    delivering.flush(0, PATIENCE_S)
    delivering.die(0)
    delivering.record(0, "traces", 60, 3, False, "flush")
    delivering.record(0, "metrics", 10, 70, False, "flush")
    delivering.shutdown(0, 0.1)


def on_disk(delivering: Delivering) -> None:
    """Have all that comes about with one."""
    delivering.begin(1, True, 4, 150, 1000, 4, (False, True))
    (life,) = delivering.alive
    delivering.record(0, "traces", 3, 1, False, "flush")
    (spooled,) = (delivering.folder / "spool").glob("*.traces.*.otlp")
    os.truncate(spooled, 10)
    delivering.let_time_pass(0, AFTER_ALL_WAITS_S)
    delivering.flush(0, 1.0)
    delivering.record(0, "traces", 3, 1, False, "flush")
    delivering.set_the_wall_clock(0, 49 * 3600.0)
    delivering.let_time_pass(0, AFTER_ALL_WAITS_S)
    delivering.flush(0, 1.0)
    delivering.misbehave(1, ["hangs"])
    delivering.record(0, "logs", 60, 1, False, "flush")
    life.node.ask("limit_files", size=0)
    delivering.record(0, "logs", 10, 1, False, "flush")
    life.node.ask("limit_files", size=1 << 20)


def test_states_are_those_that_transitions_are_between() -> None:
    """Whatever is recorded ends as sent or dropped, by a way through all the states."""
    before, after = ({getattr(t, end) for t in TRANSITIONS} for end in ("before", "after"))

    assert before | after == set(STATES)
    assert set(STATES) - after == {"queued"}
    assert set(STATES) - before == {"sent", "dropped"}


def test_table_has_every_count() -> None:
    """What the code may count, by its types, is what the table has."""
    literals = {"Step", "Reason", "DropReason", "SpoolRefusal", "SpoolDrop"}
    counted = {
        constant.value
        for file in Path(stats.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Assign)
        and {t.id for t in node.targets if isinstance(t, ast.Name)} & literals
        for constant in ast.walk(node.value)
        if isinstance(constant, ast.Constant)
    }

    assert counted == COUNTED
