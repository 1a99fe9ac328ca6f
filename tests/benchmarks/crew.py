"""Processes that the benchmark drives: a worker for each variant, and the receiver."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.benchmarks.variants import BY_NAME
from tests.benchmarks.worker import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.benchmarks.faulty import Counts as FaultyCounts
    from tests.benchmarks.receiver import Counts
    from tests.benchmarks.variants import Variant
    from typing_extensions import Self

ANSWER_S, STOP_S = 300, 20


class WorkerDiedError(Exception):
    """A process ended before it answered; what it said is on standard error."""


class Pipe:
    """A Python module in a process of its own, which answers lines with lines."""

    def __init__(self, python: str, *command: str, environ: Mapping[str, str] | None = None):
        self._command = command
        self._process = subprocess.Popen(
            [python, *command],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> str:
        """
        Wait for a line.

        Raises:
            WorkerDiedError: There is none, or none in good time.
        """
        line, deadline = "", threading.Timer(ANSWER_S, self._process.kill)
        deadline.start()
        if self._process.stdout is not None:
            line = self._process.stdout.readline()
        deadline.cancel()
        if not line:
            raise WorkerDiedError(f"{' '.join(self._command)} ended with {self._process.wait()}")
        return line

    def write(self, line: str) -> None:
        """Send a line."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End standard input, which ends the process."""
        try:
            self._process.communicate(timeout=STOP_S)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self._process.kill()
            self._process.wait()


class WorkerProcess(Pipe):
    """A library worker with a variant's app."""

    def __init__(self, variant: Variant, receiver: str, folder: str, *, has_one_core: bool) -> None:
        super().__init__(
            str(variant.python),
            "-m",
            "tests.benchmarks.child",
            str(variant.directory),
            *(["one-core"] if has_one_core else []),
            environ=variant.environ(receiver, folder),
        )

    def ask(self, do: str, **options: object) -> dict[str, Any]:
        """Have something done, and return what came of it."""
        self.write(json.dumps({"do": do, **options}))
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Wait for an answer."""
        answer: dict[str, Any] = json.loads(self.read())
        return answer


class ReceiverProcess(Pipe):
    """What variants send to."""

    def __init__(self) -> None:
        super().__init__(sys.executable, "-m", "tests.benchmarks.receiver")
        self.url = f"http://127.0.0.1:{int(self.read())}"

    def counts(self) -> Counts:
        """Return how much arrived of each variant since the start."""
        with urllib.request.urlopen(f"{self.url}/counts", timeout=60) as response:
            counts: Counts = json.load(response)
        return counts


class FaultyReceivers(Pipe):
    """
    What variants send to that have receivers with faults.

    Attributes:
        urls: By the names that `faulty.BEHAVIOURS` has.
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(sys.executable, "-m", "tests.benchmarks.faulty", *names)
        self.urls: dict[str, str] = json.loads(self.read())

    def counts(self, name: str) -> FaultyCounts:
        """Return what one of them has taken; see `faulty.counts_of`."""
        self.write(name)
        counts: FaultyCounts = json.loads(self.read())
        return counts


class Crew:
    """
    The receivers, and a worker that is ready for each of some variants.

    Args:
        variants: Their names.
        has_one_core: Keep all workers on one core, as most plans' instances have. What the
            scheduler does with a sync function's threads varies more than what is measured.
    """

    def __init__(self, variants: Iterable[str], *, has_one_core: bool = False) -> None:
        self._has_one_core = has_one_core
        self._stack = ExitStack()
        self._names = list(variants)
        self.workers: dict[str, WorkerProcess] = {}

    def __enter__(self) -> Self:
        """Start all processes, and wait for them."""
        with self._stack:
            self.receiver = self._stack.enter_context(ReceiverProcess())
            faulty = dict.fromkeys(filter(None, (BY_NAME[name].receives for name in self._names)))
            urls = {"": self.receiver.url}
            if faulty:
                self.faulty = self._stack.enter_context(FaultyReceivers(faulty))
                urls |= self.faulty.urls
            for name in self._names:
                worker = WorkerProcess(
                    BY_NAME[name],
                    urls[BY_NAME[name].receives],
                    self._stack.enter_context(TemporaryDirectory()),
                    has_one_core=self._has_one_core,
                )
                self.workers[name] = self._stack.enter_context(worker)
            for worker in self.workers.values():
                worker.answer()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self._stack.close()
