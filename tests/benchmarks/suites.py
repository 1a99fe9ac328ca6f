"""
What is measured: each suite lets the variants take turns, and returns its series.

A series is a list of values, one for each round, under a name of three parts:
`latency/async/raw` is the latency of the async function with the SDK by hand. Values of one
suite at the same place were measured in the same round.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import partial
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

from tests.benchmarks.crew import Crew, Pipe, ReceiverProcess
from tests.benchmarks.rounds import measure
from tests.benchmarks.variants import BY_NAME, DYING, FAULTY, VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from tests.benchmarks.crew import WorkerProcess

Series = dict[str, list[float]]

FUNCTIONS = {"async": "hello_async", "sync": "hello"}
CLIENTS = 64
ONE_BY_ONE = tuple(variant.name for variant in VARIANTS)
AT_ONCE = ("bare", "funcscope", "raw", "azure-monitor", "ddtrace", "elastic")
FRESH = ("bare", "funcscope", "raw", "azure-monitor", "ddtrace", "elastic")


@dataclass(frozen=True, slots=True)
class Size:
    """
    How long to measure.

    Attributes:
        crews: How often the workers of the first two are started anew: where a process has its
            code and data in memory makes as much of a difference as what is to be measured.
        latency_rounds: Of each crew, of slices of `slice` invocations, by variant and function.
        burst_rounds: Of each crew, of `burst` invocations, 64 at a time, of each variant.
        fresh_rounds: Of a fresh process for each variant.
        fault_rounds: Of slices of `fault_slice` invocations for each receiver with a fault.
        load: How many invocations a receiver sees that dies and comes back.
    """

    crews: int
    latency_rounds: int
    burst_rounds: int
    fresh_rounds: int
    fault_rounds: int
    load: int
    slice: int = 200
    fault_slice: int = 2500  # longer than funcscope waits between two sendings
    burst: int = 8000


FULL = Size(
    crews=6, latency_rounds=18, burst_rounds=3, fresh_rounds=25, fault_rounds=12, load=100_000
)
QUICK = Size(
    crews=2,
    latency_rounds=10,
    burst_rounds=2,
    fresh_rounds=15,
    fault_rounds=6,
    load=10_000,
    burst=4000,
)
WARM_UP = 3
FAULT_DRAIN_MS = 100  # a receiver that hangs must not hold the others up
SETTLED_S, POLL_S = 120, 0.2


def latency(size: Size, names: Collection[str]) -> Series:
    """Time invocations one after another, and count the CPU time that they and sending take."""
    return _joined(_latency(size, names) for _ in range(size.crews))


def burst(size: Size, names: Collection[str]) -> Series:
    """Let 64 clients call at a time, and count what did not arrive."""
    return _joined(_burst(size, names) for _ in range(size.crews))


def _joined(parts: Iterable[Series]) -> Series:
    """
    Put what crews measured one after the other.

    >>> _joined([{"a": [1.0]}, {"a": [2.0]}])
    {'a': [1.0, 2.0]}
    """
    joined: Series = {}
    for part in parts:
        for name, values in part.items():
            joined.setdefault(name, []).extend(values)
    return joined


def _latency(size: Size, names: Collection[str]) -> Series:
    with Crew([name for name in names if name in ONE_BY_ONE], has_one_core=True) as crew:
        turns: dict[str, Callable[[], dict[str, Any]]] = {
            f"{kind}/{name}": partial(worker.ask, "latency", function=function, count=size.slice)
            for kind, function in FUNCTIONS.items()
            for name, worker in crew.workers.items()
        }
        measure(WARM_UP, turns)
        measured = measure(size.latency_rounds, turns)
    return {
        f"{what}/{turn}": [answer[key] for answer in answers]
        for what, key in (("latency", "median"), ("mean", "mean"), ("cpu", "cpu"))
        for turn, answers in measured.items()
    }


def _burst(size: Size, names: Collection[str]) -> Series:
    with Crew([name for name in names if name in AT_ONCE]) as crew:

        def run(name: str, worker: WorkerProcess) -> dict[str, Any]:
            answer = worker.ask(
                "burst", function=FUNCTIONS["async"], count=size.burst, clients=CLIENTS
            )
            arrived = crew.receiver.counts().get(name, {}).get("spans", 0)
            answer["lost"] = size.burst - (arrived - seen.get(name, 0))
            seen[name] = arrived
            return answer

        seen = dict[str, int]()
        turns = {name: partial(run, name, worker) for name, worker in crew.workers.items()}
        for name, worker in crew.workers.items():
            worker.ask("latency", function=FUNCTIONS["async"], count=size.slice)
            seen[name] = crew.receiver.counts().get(name, {}).get("spans", 0)
        measured = measure(size.burst_rounds, turns)
    series = {
        f"{what}/async/{name}": [answer[key] for answer in answers]
        for what, key in (("at-once", "each"), ("p99", "p99"))
        for name, answers in measured.items()
    }
    return series | {
        f"lost/async/{name}": [answer["lost"] for answer in answers]
        for name, answers in measured.items()
        if name != "bare"
    }


def imports(size: Size, names: Collection[str]) -> Series:
    """Time an import, and what it leaves in memory, in fresh processes."""

    def run(name: str) -> dict[str, Any]:
        answer, _ = _run_fresh(receiver, name, "imports", name)
        return answer

    with ReceiverProcess() as receiver:
        turns = {name: partial(run, name) for name in names if name in FRESH and name != "bare"}
        measure(1, turns)  # writes bytecode, fills the disk's cache
        measured = measure(size.fresh_rounds, turns)
    return {
        f"{what}/fresh/{name}": [answer[key] for answer in answers]
        for what, key in (("import", "seconds"), ("import-memory", "bytes"))
        for name, answers in measured.items()
    }


def start(size: Size, names: Collection[str]) -> Series:
    """Time fresh processes to their first invocation, sent; then their memory after a hundred."""

    def run(name: str) -> dict[str, Any]:
        answer, seconds = _run_fresh(receiver, name, "first", str(BY_NAME[name].directory), lines=2)
        return {**answer, "seconds": seconds}

    with ReceiverProcess() as receiver:
        turns = {name: partial(run, name) for name in names if name in FRESH}
        measure(1, turns)
        measured = measure(size.fresh_rounds, turns)
    return {
        f"{what}/fresh/{name}": [answer[key] for answer in answers]
        for what, key in (("first", "seconds"), ("memory", "bytes"))
        for name, answers in measured.items()
    }


def _run_fresh(
    receiver: ReceiverProcess, name: str, *arguments: str, lines: int = 1
) -> tuple[dict[str, Any], float]:
    """Return what a fresh process said last, and the seconds to its first line."""
    variant = BY_NAME[name]
    begin = perf_counter()
    with Pipe(
        str(variant.python),
        "-m",
        "tests.benchmarks.fresh",
        *arguments,
        environ=variant.environ(receiver.url),
    ) as process:
        line = process.read()
        seconds = perf_counter() - begin
        for _ in range(lines - 1):
            line = process.read()
    answer: dict[str, Any] = json.loads(line)
    return answer, seconds


def faults(size: Size, names: Collection[str]) -> Series:
    """Time invocations with receivers that misbehave, and count what one that dies gets."""
    found = [variant.name for variant in FAULTY if variant.name in names]
    with Crew(found, has_one_core=True) as crew:
        turns: dict[str, Callable[[], dict[str, Any]]] = {
            name: partial(
                worker.ask,
                "latency",
                function=FUNCTIONS["async"],
                count=size.fault_slice,
                drain_ms=FAULT_DRAIN_MS,
            )
            for name, worker in crew.workers.items()
        }
        measure(1, turns)
        measured = measure(size.fault_rounds, turns)
    series = {
        f"{what}/async/{name}": [answer[key] for answer in answers]
        for what, key in (
            ("faults", "median"),
            ("faults-mean", "mean"),
            ("faults-p99", "p99"),
            ("faults-cpu", "cpu"),
        )
        for name, answers in measured.items()
    }
    return series | (dying(size) if DYING.name in names else {})


def dying(size: Size) -> Series:
    """Let 64 clients call while the receiver dies and comes back; count what arrived, by ids."""
    with Crew([DYING.name]) as crew:
        worker = crew.workers[DYING.name]
        worker.ask("load", function=FUNCTIONS["async"], count=size.load, clients=CLIENTS)
        deadline, told = perf_counter() + SETTLED_S, worker.ask("delivery")
        while told["sent"] + sum(told["dropped"].values()) < size.load:
            if perf_counter() > deadline:
                print(f"given up after {SETTLED_S} s: {told}", file=sys.stderr)
                break
            sleep(POLL_S)
            told = worker.ask("delivery")
        counts = crew.faulty.counts(DYING.receives)
    figures = {
        "invocations": size.load,
        "deaths": counts["deaths"],
        "lost": size.load - counts["arrived"],
        "doubled": counts["doubled"],
        "unexplained": counts["unexplained"],
    }
    return {f"dying/all/{name}": [figure] for name, figure in figures.items()}


SUITES: dict[str, Callable[[Size, Collection[str]], Series]] = {
    "latency": latency,
    "throughput": burst,
    "import": imports,
    "start": start,
    "faults": faults,
}
