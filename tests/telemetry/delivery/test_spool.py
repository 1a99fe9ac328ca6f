"""Bodies on disk."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.patience import PROCESS_S

from funcscope.telemetry._delivery import spool_file as _spool_file
from funcscope.telemetry._delivery.batcher import ExportRequest
from funcscope.telemetry._delivery.spool import Spool
from funcscope.telemetry._delivery.spool_file import encode_header, unpack

BLOCK = 4096
HAS_LOCKS = find_spec("fcntl") is not None
BASE_S = int(time.time()) - 1000


class Drops:
    """Counts what a spool drops."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def __call__(self, signal: str, reason: str, number: int) -> None:
        self.counts[signal, reason] += number


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = float(BASE_S)

    def __call__(self) -> float:
        return self.now


def numbered(number: int, signal: str = "traces", size: int = 10) -> ExportRequest:
    """Make a request that is told by its number, and was made at that second."""
    data = str(number).encode().ljust(size)
    return ExportRequest(signal, data, count=number, created_ns=(BASE_S + number) * 10**9)


def taken(spool: Spool, signal: str = "traces") -> list[int]:
    """Take and remove all requests of a signal, and say which they were."""
    numbers: list[int] = []
    while (spooled := spool.take(signal)) is not None:
        numbers.append(spooled.request.count)
        spool.remove(spooled)
    return numbers


def files(folder: Path) -> list[str]:
    """List the names in a folder."""
    return sorted(path.name for path in folder.iterdir())


@given(
    signal=st.sampled_from(["traces", "logs", "metrics"]),
    data=st.binary(max_size=50),
    count=st.integers(0, 2**32 - 1),
    encoding=st.sampled_from(["", "gzip", "deflate"]),
)
def test_file_holds_a_request(signal: str, data: bytes, count: int, encoding: str) -> None:
    """What is written is read back as it was, and a file that is cut anywhere never is."""
    original = ExportRequest(signal, data, count, encoding, 7)
    content = encode_header(original) + data

    assert unpack(content, 7) == original
    for length in range(len(content)):
        assert not isinstance(unpack(content[:length], 7), ExportRequest)


@given(st.binary(max_size=60))
def test_any_file_may_be_read(content: bytes) -> None:
    """Whatever a file holds, reading it raises nothing."""
    unpack(content, 0)


@pytest.fixture(params=["locks", "names"])
def _claims(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claim with locks, and as where there are none."""
    if request.param == "names":
        monkeypatch.setattr(_spool_file, "fcntl", None)
    elif not HAS_LOCKS:
        pytest.skip("no fcntl here")


@pytest.mark.usefixtures("_claims")
def test_first_in_first_out(tmp_path: Path) -> None:
    """Bodies of a signal come out in order, and the folder is empty then."""
    spool = Spool(tmp_path / "spool")
    for number in (1, 2, 3):
        assert spool.put(numbered(number))
        assert spool.put(numbered(number + 10, "logs"))

    assert taken(spool) == [1, 2, 3]
    assert taken(spool, "logs") == [11, 12, 13]
    assert not files(tmp_path / "spool")


def test_order_is_by_when_they_were_made(tmp_path: Path) -> None:
    """A request that was kept in memory first has its place among those that came later."""
    spool = Spool(tmp_path)
    spool.put(numbered(2))
    spool.put(numbered(1))

    assert taken(Spool(tmp_path)) == [1, 2]


@pytest.mark.usefixtures("_claims")
def test_released_request_is_first_again(tmp_path: Path) -> None:
    """A request that could not be sent stays first in line."""
    spool = Spool(tmp_path)
    spool.put(numbered(1))
    spool.put(numbered(2))
    first = spool.take("traces")
    assert first is not None
    spool.release(first)

    assert taken(spool) == [1, 2]


@pytest.mark.usefixtures("_claims")
def test_restart(tmp_path: Path) -> None:
    """The next process sends what the last one left, in order, and its own after that."""
    last = Spool(tmp_path)
    for number in (1, 2):
        last.put(numbered(number))
    following = Spool(tmp_path)
    following.put(numbered(3))

    assert taken(following) == [1, 2, 3]


@pytest.mark.usefixtures("_claims")
def test_claimed_request_is_nobody_elses(tmp_path: Path) -> None:
    """What one has taken the other does not get, until it is released."""
    one, other = Spool(tmp_path), Spool(tmp_path)
    one.put(numbered(1))
    one.put(numbered(2))
    held = one.take("traces")

    assert held is not None
    assert taken(other) == [2]
    one.release(held)
    assert taken(other) == [1]
    assert one.take("traces") is None


def test_claim_by_name_is_recovered_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no locks, a claim that is too old is taken to be of a dead process."""
    monkeypatch.setattr(_spool_file, "fcntl", None)
    one = Spool(tmp_path)
    one.put(numbered(1))
    assert one.take("traces") is not None
    [claimed] = tmp_path.iterdir()

    assert Spool(tmp_path).take("traces") is None
    os.utime(claimed, (1, 1))
    assert taken(Spool(tmp_path)) == [1]


def test_bytes_are_bounded(tmp_path: Path) -> None:
    """The oldest go when there is no room, whatever their signal, and are counted."""
    drops = Drops()
    spool = Spool(tmp_path, 3 * BLOCK, on_drop=drops)
    for number in (1, 2, 3, 4):
        assert spool.put(numbered(number, "logs" if number == 1 else "traces"))
    spool.put(numbered(5, size=BLOCK))  # with its header it takes two blocks

    assert drops.counts == {("logs", "spool_full"): 1, ("traces", "spool_full"): 2 + 3}
    assert taken(spool) == [4, 5]


def test_bytes_are_bounded_over_processes(tmp_path: Path) -> None:
    """What another process wrote counts."""
    drops = Drops()
    one, other = Spool(tmp_path, 4 * BLOCK), Spool(tmp_path, 4 * BLOCK, on_drop=drops)
    for number in (1, 3):
        one.put(numbered(number))
        other.put(numbered(number + 1))
    other.put(numbered(5))

    assert len(files(tmp_path)) == 4
    assert drops.counts == {("traces", "spool_full"): 1}


def test_request_in_flight_is_not_dropped(tmp_path: Path) -> None:
    """What is being sent is not dropped for room: the next oldest is."""
    drops = Drops()
    spool = Spool(tmp_path, 2 * BLOCK, on_drop=drops)
    spool.put(numbered(1))
    held = spool.take("traces")
    spool.put(numbered(2))
    spool.put(numbered(3))

    assert held is not None
    assert drops.counts == {("traces", "spool_full"): 2}
    spool.release(held)
    assert taken(spool) == [1, 3]


def test_request_larger_than_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A request that never fits is not taken, and drops no other."""
    spool = Spool(tmp_path, 2 * BLOCK)
    spool.put(numbered(1))

    assert not spool.put(numbered(2, size=2 * BLOCK))
    assert not spool.put(numbered(3, size=2 * BLOCK))
    assert taken(spool) == [1]
    assert len(caplog.messages) == 1


def test_age_is_bounded(tmp_path: Path) -> None:
    """A request that is too old is dropped instead of sent, and counted."""
    drops, clock = Drops(), Clock()
    spool = Spool(tmp_path, max_age_s=60, on_drop=drops, clock=clock)
    for number in (1, 100):
        spool.put(numbered(number))
    clock.now += 100

    assert taken(spool) == [100]
    assert drops.counts == {("traces", "spool_age"): 1}


@pytest.mark.parametrize(
    ("length", "count"), [(0, 1), (10, 1), (32, 7), (37, 7)], ids=["0", "10", "32", "37"]
)
def test_torn_file(tmp_path: Path, length: int, count: int) -> None:
    """A file that is not whole is dropped and counted; by what it held, if that is known."""
    drops = Drops()
    spool = Spool(tmp_path, on_drop=drops)
    spool.put(numbered(7))
    spool.put(numbered(8))
    os.truncate(tmp_path / files(tmp_path)[0], length)

    assert taken(Spool(tmp_path, on_drop=drops)) == [8]
    assert drops.counts == {("traces", "spool_torn"): count}
    assert not files(tmp_path)


def test_changed_byte(tmp_path: Path) -> None:
    """So is one whose bytes are not those that were written."""
    drops = Drops()
    Spool(tmp_path).put(numbered(7))
    file = tmp_path / files(tmp_path)[0]
    file.write_bytes(file.read_bytes()[:-1] + b"!")

    assert not taken(Spool(tmp_path, on_drop=drops))
    assert drops.counts == {("traces", "spool_torn"): 7}


def test_unfinished_file(tmp_path: Path) -> None:
    """What a process was writing when it died is cleared up once it is old, and counted."""
    drops = Drops()
    Spool(tmp_path).put(numbered(7))
    file = tmp_path / files(tmp_path)[0]
    unfinished = file.rename(file.with_name(file.name + ".tmp"))
    spool = Spool(tmp_path, on_drop=drops)

    assert spool.take("traces") is None
    assert unfinished.exists()
    os.utime(unfinished, (1, 1))
    assert spool.take("traces") is None
    assert not files(tmp_path)
    assert drops.counts == {("traces", "spool_torn"): 7}


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    """What the spool did not write it neither sends, nor drops, nor counts."""
    (tmp_path / "notes.otlp").write_bytes(bytes(10 * BLOCK))
    spool = Spool(tmp_path, BLOCK)
    spool.put(numbered(1))

    assert taken(spool) == [1]
    assert files(tmp_path) == ["notes.otlp"]


def test_folder_that_cannot_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that cannot be written raises nothing, and is said once."""
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "spool")

    assert not spool.put(numbered(1))
    assert not spool.put(numbered(2))
    assert spool.take("traces") is None
    assert not spool.is_writable
    assert len([text for text in caplog.messages if "cannot be written" in text]) == 1


def test_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk raises nothing, leaves no half file, and is over when there is room."""
    real_open = os.open

    def full(path: str, flags: int, *rest: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_open(path, flags, *rest)

    spool = Spool(tmp_path)
    spool.put(numbered(1))
    monkeypatch.setattr(os, "open", full)
    assert [spool.put(numbered(2)), spool.put(numbered(3))] == [False, False]
    assert len(caplog.messages) == 1
    monkeypatch.undo()

    assert spool.put(numbered(4))
    assert taken(spool) == [1, 4]


def test_file_that_cannot_be_deleted_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that became read-only, what was sent is not sent for ever."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    spool = Spool(tmp_path)
    spool.put(numbered(1))
    monkeypatch.setattr(Path, "unlink", refuse)

    assert taken(spool) == [1]
    assert spool.take("traces") is None


SENDER = """
    import sys
    from pathlib import Path
    from funcscope.telemetry._delivery.batcher import ExportRequest
    from funcscope.telemetry._delivery.spool import Spool

    folder, name = Path(sys.argv[1]), sys.argv[2]
    spool = Spool(folder / "spool")
    for number in range(200):
        spool.put(ExportRequest("traces", f"{name}{number}".encode(), 1))
    print("ready", flush=True)
    sys.stdin.readline()
    while (spooled := spool.take("traces")) is not None:
        print(spooled.request.data.decode())
        spool.remove(spooled)
"""


def run(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python process that can be talked to."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes(tmp_path: Path) -> None:
    """Two processes on one folder send each request once between them, and lose none."""
    processes = [run(SENDER, str(tmp_path), name) for name in "ab"]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    sent: Counter[str] = Counter()
    for process in processes:
        sent.update(process.communicate(timeout=PROCESS_S)[0].split())

    assert sent == Counter(f"{name}{number}" for name in "ab" for number in range(200))
    assert not files(tmp_path / "spool")


HOLDER = """
    import sys
    from funcscope.telemetry._delivery.spool import Spool

    held = Spool(sys.argv[1]).take("traces")
    print(held.request.count, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.skipif(not HAS_LOCKS, reason="the system gives no lock back here")
def test_claim_of_a_dead_process_is_recovered(tmp_path: Path) -> None:
    """What a process had taken when it was killed is there for the next at once."""
    spool = Spool(tmp_path)
    spool.put(numbered(7))
    holder = run(HOLDER, str(tmp_path))
    assert holder.stdout
    assert holder.stdout.readline() == "7\n"

    assert spool.take("traces") is None
    holder.kill()
    holder.communicate(timeout=PROCESS_S)
    assert taken(spool) == [7]
