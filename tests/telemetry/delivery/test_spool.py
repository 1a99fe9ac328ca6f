"""Bodies on disk."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts.snippets import text_of
from tests.patience import PATIENCE_S, PROCESS_S

from funcscope.telemetry._config.otlp_target import read_target
from funcscope.telemetry._delivery.batcher import ExportRequest
from funcscope.telemetry._delivery.spool import Spool
from funcscope.telemetry._delivery.spool_file import SpoolFile, fingerprint_of, pack, parse, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from funcscope.telemetry._config.otlp_target import OtlpTarget

BLOCK = 4096
BASE_S = int(time.time()) - 1000
needs_processes = pytest.mark.skipif(sys.platform == "win32", reason="process ids say nothing here")


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


def target_of(
    signal: str = "traces", endpoint: str = "http://127.0.0.1:1", **more: str
) -> OtlpTarget:
    """Make a target, with other settings of its exporter."""
    settings = {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in more.items()}
    return read_target(signal, {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **settings}, [])


HERE = target_of()
"""Where the spans of most tests are to go."""


def numbered(number: int, signal: str = "traces", size: int = 10) -> ExportRequest:
    """Make a request that is told by its number, and was made at that second."""
    data = str(number).encode().ljust(size)
    return ExportRequest(signal, data, count=number, created_ns=(BASE_S + number) * 10**9)


def put(spool: Spool, *requests: ExportRequest) -> None:
    """Put requests that have room."""
    for request in requests:
        assert spool.put(request, target_of(request.signal)) is None


def taken(spool: Spool, target: OtlpTarget = HERE) -> list[int]:
    """Take and remove all requests for a target, and say which they were."""
    numbers: list[int] = []
    while (spooled := spool.take(target)) is not None:
        numbers.append(spooled.request.count)
        spool.remove(spooled)
    return numbers


def files(folder: Path) -> list[str]:
    """List the names of requests in a folder, and none of the quotas for more."""
    parsed = ((path.name, parse(path.name)) for path in folder.iterdir())
    return sorted(name for name, file in parsed if file is None or file.items)


def bytes_in(folder: Path) -> int:
    """Measure what files take, in whole blocks."""
    total = 0
    for path in folder.iterdir():
        with_room = path.stat().st_size if path.exists() else 0
        total += -(-with_room // BLOCK) * BLOCK
    return total


def views(folder: Path) -> Iterator[Path]:
    """Return a folder as several machines see it, again and again: see `tests/shares/boot.sh`."""
    mounts = os.environ.get("VIEWS", "").split(":")
    return cycle([Path(str(folder).replace(mounts[0], mount, 1)) for mount in mounts])


def file_of(request: ExportRequest) -> SpoolFile:
    """Name a file for a request."""
    name = SpoolFile(
        request.created_ns, 9, "0" * 16, request.count, BLOCK, "1" * 16, request.signal
    )
    assert parse(name.name) == name
    return name


# What a file says


@given(
    signal=st.sampled_from(["traces", "logs", "metrics"]),
    data=st.binary(max_size=50),
    count=st.integers(0, 2**32 - 1),
    encoding=st.sampled_from(["", "gzip", "deflate"]),
)
def test_file_holds_a_request(signal: str, data: bytes, count: int, encoding: str) -> None:
    """What is written is read back as it was, and a file that is cut anywhere never is."""
    original = ExportRequest(signal, data, count, encoding, 7)
    file = file_of(original)
    content = pack(original, file)

    assert unpack(content, file) == original
    assert {unpack(content[:length], file) for length in range(len(content))} == {"torn"}


@given(
    data=st.binary(max_size=9), place=st.integers(0, 200), other=st.binary(min_size=1, max_size=1)
)
def test_no_other_content_is_read(data: bytes, place: int, other: bytes) -> None:
    """A file in which a byte is another is not read."""
    original = ExportRequest("traces", data, 3, created_ns=7)
    file = file_of(original)
    content = pack(original, file)
    place %= len(content)
    changed = content[:place] + other + content[place + 1 :]

    assert changed == content or isinstance(unpack(changed, file), str)


@given(st.binary(max_size=60))
def test_any_file_may_be_read(content: bytes) -> None:
    """Whatever a file holds, reading it raises nothing."""
    unpack(content, file_of(ExportRequest("traces", b"", 1)))


@given(st.text(max_size=60), st.text(alphabet="0123456789-.abcdeflotp", max_size=150))
def test_any_name_may_be_read(name: str, like_ours: str) -> None:
    """Whatever a file is called, reading its name raises nothing."""
    parse(name)
    parse(like_ours)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ({"endpoint": "http://127.0.0.1:2"}, False),
        ({"endpoint": "https://127.0.0.1:1"}, False),
        ({"endpoint": "http://127.0.0.1:1/tenant"}, False),
        ({"endpoint": "http://other:1"}, False),
        ({"HEADERS": "api-key=one"}, False),
        ({"HEADERS": "authorization=Bearer%20x"}, False),
        ({"TIMEOUT": "3", "COMPRESSION": "gzip"}, True),
    ],
    ids=str,
)
def test_fingerprint(other: dict[str, str], is_same: bool) -> None:
    """It is another with each part of the URL and each header, and says nothing of them."""
    fingerprint = fingerprint_of(target_of(**other))

    assert (fingerprint == fingerprint_of(HERE)) == is_same
    assert len(bytes.fromhex(fingerprint)) == 8


def test_key_is_in_no_file(tmp_path: Path) -> None:
    """Neither names nor contents of files hold a key, or where they go."""
    secret = target_of(endpoint="http://secret-host:1", HEADERS="api-key=secret-key")
    Spool(tmp_path).put(numbered(1), secret)
    [path] = [tmp_path / name for name in files(tmp_path)]

    assert b"secret" not in path.name.encode() + path.read_bytes()


# In and out


def test_first_in_first_out(tmp_path: Path) -> None:
    """Bodies of a signal come out in order, and the folder is empty then."""
    spool = Spool(tmp_path / "spool")
    for number in (1, 2, 3):
        put(spool, numbered(number), numbered(number + 10, "logs"))

    assert taken(spool) == [1, 2, 3]
    assert taken(spool, target_of("logs")) == [11, 12, 13]
    assert not list((tmp_path / "spool").iterdir())


def test_order_is_by_when_they_were_made(tmp_path: Path) -> None:
    """A request that was kept in memory first has its place among those that came later."""
    spool = Spool(tmp_path)
    assert not taken(spool)
    put(spool, numbered(2), numbered(1))

    assert taken(spool) == [1, 2]
    put(spool, numbered(2), numbered(1))
    assert taken(Spool(tmp_path)) == [1, 2]


def test_released_request_is_first_again(tmp_path: Path) -> None:
    """A request that could not be sent stays first in line."""
    spool = Spool(tmp_path)
    put(spool, numbered(1), numbered(2))
    first = spool.take(HERE)
    assert first is not None
    spool.release(first)

    assert taken(spool) == [1, 2]


def test_what_is_wanted(tmp_path: Path) -> None:
    """The oldest that is wanted comes; what is not known of is only found by a look."""
    put(Spool(tmp_path), *(numbered(number) for number in (1, 2, 3)))
    spool, late = Spool(tmp_path), lambda created: created > numbered(1).created_ns
    assert spool.take(HERE, late, looks=False) is None
    second = spool.take(HERE, late)

    assert second is not None
    assert second.request.count == 2
    assert spool.take(HERE, lambda _: False) is None
    assert taken(spool) == [1, 3]


def test_restart(tmp_path: Path) -> None:
    """The next process sends what the last one left, in order, and its own after that."""
    put(Spool(tmp_path), numbered(1), numbered(2))
    following = Spool(tmp_path)
    put(following, numbered(3))

    assert taken(following) == [1, 2, 3]


@pytest.mark.parametrize("other", [{"endpoint": "http://127.0.0.1:2"}, {"HEADERS": "api-key=new"}])
def test_body_goes_where_it_was_meant_to(tmp_path: Path, other: dict[str, str]) -> None:
    """An app with another endpoint or key does not send what is there, until it has it again."""
    put(Spool(tmp_path), numbered(1))
    spool = Spool(tmp_path)
    assert spool.put(numbered(2), target_of(**other)) is None

    assert taken(spool, target_of(**other)) == [2]
    assert taken(spool) == [1]


def test_folder_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder may be written with the user's home, and with variables."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("KIND", "spool")
    put(Spool("~/data/$KIND"), numbered(1))

    assert len(files(tmp_path / "data" / "spool")) == 1


# Leases


def test_leased_request_is_nobody_elses(tmp_path: Path) -> None:
    """What one has taken the other does not get, until it is released."""
    one, other = Spool(tmp_path), Spool(tmp_path)
    put(one, numbered(1), numbered(2))
    held = one.take(HERE)

    assert held is not None
    assert taken(other) == [2]
    one.release(held)
    assert taken(other) == [1]
    assert one.take(HERE) is None


def test_lease_is_given_back_by_age(tmp_path: Path) -> None:
    """A lease that has outlasted its post by far is taken to be of a process that is gone."""
    clock, slow = Clock(), target_of(TIMEOUT="300")
    one = Spool(tmp_path, clock=clock)
    put(one, numbered(1))
    assert one.take(slow) is not None

    clock.now += 299
    assert Spool(tmp_path, clock=clock).take(slow) is None
    clock.now += 100
    assert taken(Spool(tmp_path, clock=clock), slow) == [1]


def test_stolen_lease_loses_nothing(tmp_path: Path) -> None:
    """One that was only slow may remove or release what another has meanwhile, and nobody minds."""
    clock = Clock()
    slow, quick = Spool(tmp_path, clock=clock), Spool(tmp_path, clock=clock)
    put(slow, numbered(1), numbered(2))
    first, second = slow.take(HERE), slow.take(HERE)
    assert first is not None
    assert second is not None
    clock.now += 1000
    again = quick.take(HERE)
    assert again is not None
    slow.remove(first)
    slow.release(second)

    assert taken(slow) == [2]
    quick.release(again)
    assert taken(quick) == [1]
    assert not files(tmp_path)


def test_removed_late_is_not_sent_again(tmp_path: Path) -> None:
    """What was given back while its sender was slow, and nobody has, goes when it was sent."""
    clock = Clock()
    slow, quick = Spool(tmp_path, clock=clock), Spool(tmp_path, clock=clock)
    put(slow, numbered(1))
    held = slow.take(HERE)
    assert held is not None
    clock.now += 1000
    assert quick.take(target_of(HEADERS="x=y")) is None  # which looks at the folder
    slow.remove(held)

    assert not taken(quick)
    assert not files(tmp_path)


def test_lost_answer_to_a_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a rename was done and the network says that there is nothing to rename, it was done."""
    real = Path.replace

    def lose(source: Path, target: Path) -> Path:
        real(source, target)
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(Path, "replace", lose)
    spool = Spool(tmp_path)
    put(spool, numbered(1), numbered(2))
    held = spool.take(HERE)
    assert held is not None
    spool.release(held)

    assert taken(spool) == [1, 2]
    assert not files(tmp_path)


# Bounds


def test_bytes_are_bounded(tmp_path: Path) -> None:
    """The oldest go when there is no room, whatever their signal, and are counted."""
    drops = Drops()
    spool = Spool(tmp_path, 3 * BLOCK, on_drop=drops)
    for signal in ("traces", "logs"):
        assert spool.take(target_of(signal)) is None
    for number in (1, 2, 3, 4):
        put(spool, numbered(number, "logs" if number == 1 else "traces"))
    put(spool, numbered(5, size=BLOCK))  # with its header it takes two blocks

    assert drops.counts == {("logs", "spool_full"): 1, ("traces", "spool_full"): 2 + 3}
    assert bytes_in(tmp_path) == 3 * BLOCK
    assert taken(spool) == [4, 5]


def test_bytes_are_bounded_over_processes(tmp_path: Path) -> None:
    """What another process wrote counts."""
    drops = Drops()
    one, other = Spool(tmp_path, 4 * BLOCK), Spool(tmp_path, 4 * BLOCK, on_drop=drops)
    for number in (1, 3):
        put(one, numbered(number))
        put(other, numbered(number + 1))
    put(other, numbered(5))

    assert len(files(tmp_path)) == 4
    assert drops.counts == {("traces", "spool_full"): 1}


def test_bytes_are_fewer_than_before(tmp_path: Path) -> None:
    """Where there may be less than there was, the oldest go until it fits."""
    drops = Drops()
    put(Spool(tmp_path, 9 * BLOCK), *(numbered(number) for number in range(1, 10)))
    spool = Spool(tmp_path, 3 * BLOCK, on_drop=drops)
    put(spool, numbered(10))

    assert bytes_in(tmp_path) == 3 * BLOCK
    assert drops.counts == {("traces", "spool_full"): sum(range(1, 8))}
    assert taken(spool) == [8, 9, 10]


def test_request_in_flight_is_not_dropped(tmp_path: Path) -> None:
    """What is being sent is not dropped for room: the next oldest is."""
    drops = Drops()
    spool = Spool(tmp_path, 2 * BLOCK, on_drop=drops)
    put(spool, numbered(1))
    held = spool.take(HERE)
    put(spool, numbered(2), numbered(3))

    assert held is not None
    assert drops.counts == {("traces", "spool_full"): 2}
    spool.release(held)
    assert taken(spool) == [1, 3]


def test_files_of_others_are_not_dropped_for_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where others' bodies have all the room nothing is written or dropped, and it is said once."""
    drops = Drops()
    put(Spool(tmp_path, 2 * BLOCK), numbered(1), numbered(2))
    spool, other = Spool(tmp_path, 2 * BLOCK, on_drop=drops), target_of(HEADERS="api-key=other")

    assert [spool.put(numbered(3), other), spool.put(numbered(4), other)] == ["spool_full"] * 2
    assert not spool.is_writable
    assert not drops.counts
    assert taken(spool) == [1, 2]
    assert len(caplog.messages) == 1


def test_room_is_found_again(tmp_path: Path) -> None:
    """What is sent makes room at once, though all was taken a moment ago."""
    spool = Spool(tmp_path, BLOCK)
    put(spool, numbered(1))
    held = spool.take(HERE)
    assert held is not None
    assert spool.put(numbered(2), HERE) == "spool_full"
    assert not spool.is_writable
    spool.remove(held)

    put(spool, numbered(3))
    assert spool.is_writable
    assert taken(spool) == [3]


def test_request_larger_than_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A request that never fits is not taken, and drops no other."""
    spool = Spool(tmp_path, 2 * BLOCK)
    put(spool, numbered(1))

    assert spool.put(numbered(2, size=2 * BLOCK), HERE) == "spool_full"
    assert spool.put(numbered(3, size=2 * BLOCK), HERE) == "spool_full"
    assert taken(spool) == [1]
    assert len(caplog.messages) == 1


def counted(call: Callable[..., Any], calls: list[None]) -> Callable[..., Any]:
    """Make a function that does the same, and adds to a list."""

    def count(*args: object, **kwargs: object) -> Any:  # as the other
        calls.append(None)
        return call(*args, **kwargs)

    return count


def test_full_spool_is_not_listed_for_each_body(tmp_path: Path) -> None:
    """A body that takes the place of the oldest costs no look at the folder, or at other files."""
    spool, looks = Spool(tmp_path, 300 * BLOCK), list[None]()
    put(spool, *(numbered(number) for number in range(1, 301)))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("scandir", "listdir", "stat"):
            patch.setattr(os, name, counted(getattr(os, name), looks))
        put(spool, *(numbered(number) for number in range(301, 400)))

    assert not looks
    assert bytes_in(tmp_path) == 300 * BLOCK
    assert taken(spool) == list(range(100, 400))


def test_quota_that_was_given_up_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another writes between a thread's getting its quota and its writing, all still fits."""
    real, others = os.open, [Spool(tmp_path, 2 * BLOCK)]
    target = target_of(HEADERS="api-key=other")
    spool = Spool(tmp_path, 2 * BLOCK)

    def interrupt(path: Path, flags: int, mode: int) -> int:
        if others and "-3-" in path.name:
            other = others.pop()
            assert spool.take(HERE) is None  # as another thread: what is not in use is given up
            assert [other.put(numbered(n), target) for n in (1, 2)] == [None, None]
        return real(path, flags, mode)

    monkeypatch.setattr("funcscope.telemetry._delivery.spool.os.open", interrupt)
    assert spool.put(numbered(3), HERE) == "spool_full"
    assert bytes_in(tmp_path) == 2 * BLOCK


def test_age_is_bounded(tmp_path: Path) -> None:
    """A request that is too old is dropped instead of sent, and counted."""
    drops, clock = Drops(), Clock()
    spool = Spool(tmp_path, max_age_s=60, on_drop=drops, clock=clock)
    put(spool, numbered(1), numbered(100))
    clock.now += 100

    assert taken(spool) == [100]
    assert drops.counts == {("traces", "spool_age"): 1}


def test_age_of_what_nobody_sends(tmp_path: Path) -> None:
    """Bodies of a former key go when they are too old for who put them there, and are counted."""
    drops, clock = Drops(), Clock()
    put(Spool(tmp_path, max_age_s=60, clock=clock), numbered(7, "logs"))
    spool, new = Spool(tmp_path, on_drop=drops, clock=clock), target_of(HEADERS="api-key=new")
    assert spool.take(new) is None
    assert len(files(tmp_path)) == 1
    clock.now += 100

    assert spool.take(new) is None
    assert drops.counts == {("logs", "spool_age"): 7}
    assert not files(tmp_path)


# Files that are not as they should be


@pytest.mark.parametrize("length", [0, 10, 50, 100])
def test_torn_file(tmp_path: Path, length: int) -> None:
    """A file that is not whole is dropped and counted, by what it held."""
    drops = Drops()
    put(Spool(tmp_path), numbered(7), numbered(8))
    os.truncate(tmp_path / files(tmp_path)[0], length)

    assert taken(Spool(tmp_path, on_drop=drops)) == [8]
    assert drops.counts == {("traces", "spool_torn"): 7}
    assert not files(tmp_path)


def test_renamed_file(tmp_path: Path) -> None:
    """A file that was renamed for another destination by hand is not sent there."""
    drops, other = Drops(), target_of(HEADERS="api-key=other")
    put(Spool(tmp_path), numbered(7))
    [name] = files(tmp_path)
    path = tmp_path / name
    path.rename(tmp_path / name.replace(fingerprint_of(HERE), fingerprint_of(other)))

    assert not taken(Spool(tmp_path, on_drop=drops), other)
    assert drops.counts == {("traces", "spool_torn"): 7}


def test_unfinished_file(tmp_path: Path) -> None:
    """What a process was writing when it went is cleared up by age, and counted."""
    drops, clock = Drops(), Clock()
    put(Spool(tmp_path, clock=clock), numbered(7))
    [path] = [tmp_path / name for name in files(tmp_path)]
    unfinished = path.rename(f"{path}.0a0b0c0d-1-{BASE_S + 60}.tmp")
    spool = Spool(tmp_path, on_drop=drops, clock=clock)

    assert spool.take(HERE) is None
    assert unfinished.exists()
    clock.now += 61
    assert spool.take(HERE) is None
    assert not files(tmp_path)
    assert drops.counts == {("traces", "spool_torn"): 7}


OTHER_VERSIONS = [
    "{}-000001-0a0b0c0d.traces.otlp",
    "{}-000001-0a0b0c0d.traces.otlp.claimed",
    "{}-9999999999-0a0b0c0d0a0b0c0d-1-4096-0a0b0c0d0a0b0c0d.traces.3.otlp",
    "{}-anything.9.otlp.0a0b0c0d-1-1.tmp",
]


@pytest.mark.parametrize("name", OTHER_VERSIONS)
def test_other_versions_are_left_alone(tmp_path: Path, name: str) -> None:
    """A file of an older or newer format is neither sent nor dropped, but takes room."""
    other = tmp_path / name.format(f"{1:020d}")
    other.write_bytes(bytes(BLOCK - 200))
    drops = Drops()
    spool = Spool(tmp_path, 2 * BLOCK, on_drop=drops)
    put(spool, numbered(1), numbered(2))

    assert drops.counts == {("traces", "spool_full"): 1}
    assert taken(spool) == [2]
    assert files(tmp_path) == [other.name]


def test_content_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """A file whose content is of a newer format than its name says is not dropped as torn."""
    drops = Drops()
    put(Spool(tmp_path), numbered(7), numbered(8))
    newer = tmp_path / files(tmp_path)[0]
    newer.write_bytes(newer.read_bytes().replace(b".2.otlp", b".3.otlp"))

    assert taken(Spool(tmp_path, on_drop=drops)) == [8]
    assert files(tmp_path) == [newer.name]
    assert not drops.counts


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    """What the spool did not write it neither sends, nor drops, nor counts."""
    (tmp_path / "notes.otlp").write_bytes(bytes(10 * BLOCK))
    (tmp_path / ".nfs0000000000a1").write_bytes(bytes(10 * BLOCK))
    spool = Spool(tmp_path, BLOCK)
    put(spool, numbered(1))

    assert taken(spool) == [1]
    assert files(tmp_path) == [".nfs0000000000a1", "notes.otlp"]


# Disks that are not as they should be


def test_folder_that_cannot_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that cannot be written raises nothing, and is said once."""
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "spool")

    assert [spool.put(numbered(1), HERE), spool.put(numbered(2), HERE)] == ["spool_io"] * 2
    assert spool.take(HERE) is None
    assert not spool.is_writable
    assert len([text for text in caplog.messages if "cannot be written" in text]) == 1


def test_file_that_cannot_be_read_holds_up_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that gives an error is told of once, kept, and those behind it are sent at once."""
    spool = Spool(tmp_path)
    put(spool, numbered(1), numbered(2))
    first = tmp_path / files(tmp_path)[0]
    first.unlink()
    first.mkdir()

    assert taken(spool) == [2]
    assert len(files(tmp_path)) == 1
    assert len(caplog.messages) == 1


def test_folder_that_vanishes(tmp_path: Path) -> None:
    """A folder that is deleted is made anew, and costs a refusal at most."""
    spool = Spool(tmp_path / "spool")
    put(spool, numbered(1))
    for path in (tmp_path / "spool").iterdir():
        path.unlink()
    (tmp_path / "spool").rmdir()

    assert spool.put(numbered(2), HERE) == "spool_io"
    assert spool.put(numbered(2), HERE) is None
    assert taken(spool) == [2]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE])
def test_disk_that_fails_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """A disk that fails while a body is written leaves no half file, and is said once."""

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    spool = Spool(tmp_path, fsync=True)
    put(spool, numbered(1))
    monkeypatch.setattr(os, "fsync", fail)
    assert [spool.put(numbered(2), HERE), spool.put(numbered(3), HERE)] == ["spool_io"] * 2
    assert len(caplog.messages) == 1
    assert not spool.is_writable
    assert len(files(tmp_path)) == 1
    monkeypatch.undo()

    put(spool, numbered(4))
    assert taken(spool) == [1, 4]


def test_body_that_is_to_be_kept_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the setting, a body and then its name are on the disk itself; without, nothing waits."""
    real, synced = os.fsync, list[bool]()

    def sync(descriptor: int) -> None:
        synced.append(os.path.isdir(f"/proc/self/fd/{descriptor}"))  # noqa: PTH112 (no Path of ours)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    put(Spool(tmp_path), numbered(1))
    assert not synced
    put(Spool(tmp_path, fsync=True), numbered(2))
    assert synced == [False, True]


def test_unfinished_body_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being written is not taken by another process, nor dropped as torn."""
    drops, seen = Drops(), list[tuple[list[str], list[int]]]()
    other = Spool(tmp_path, on_drop=drops)

    def look(_: int) -> None:
        if not seen:
            seen.append((files(tmp_path), taken(other)))

    monkeypatch.setattr(os, "fsync", look)
    put(Spool(tmp_path, fsync=True), numbered(1))

    [(names, numbers)] = seen
    assert len(names) == 1
    assert not numbers
    assert not drops.counts
    assert taken(other) == [1]


def test_file_that_cannot_be_deleted_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that became read-only, what was sent is not sent for ever."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    clock = Clock()
    spool = Spool(tmp_path, clock=clock)
    put(spool, numbered(1))
    monkeypatch.setattr(Path, "unlink", refuse)

    assert taken(spool) == [1]
    clock.now += 1000
    assert spool.take(HERE) is None
    monkeypatch.undo()
    assert spool.take(HERE) is None
    assert not files(tmp_path)


def test_hanging_disk_holds_up_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While one thread waits for a disk that hangs, others go on without it, and say it once."""
    monkeypatch.setattr("funcscope.telemetry._delivery.spool._HANGING_S", 0.0)
    hangs, goes_on = threading.Event(), threading.Event()
    real = Path.replace

    def hang(source: Path, target: Path) -> Path:
        hangs.set()
        assert goes_on.wait(PATIENCE_S)
        return real(source, target)

    spool = Spool(tmp_path)
    monkeypatch.setattr(Path, "replace", hang)
    thread = threading.Thread(target=spool.put, args=(numbered(1), HERE))
    thread.start()
    assert hangs.wait(PATIENCE_S)

    assert spool.put(numbered(2), HERE) == "spool_io"
    assert spool.take(HERE) is None
    assert not spool.is_writable
    assert len(caplog.messages) == 1
    goes_on.set()
    thread.join(PATIENCE_S)
    assert spool.is_writable
    assert taken(spool) == [1]


# Several threads and processes


def test_threads(tmp_path: Path) -> None:
    """Threads that put, take and put back for several targets lose nothing, and double nothing."""
    spool, sent = Spool(tmp_path), Counter[int]()
    targets = [target_of(HEADERS=f"key={number}") for number in range(3)]

    def work(place: int) -> None:
        for number in range(1, 101):
            assert spool.put(numbered(1000 * place + number), targets[place]) is None
            if number % 3 == 0:
                held = spool.take(targets[place])
                assert held is not None
                spool.release(held)
        sent.update(taken(spool, targets[place]))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert sent == Counter(1000 * place + n for place in range(3) for n in range(1, 101))
    assert not list(tmp_path.iterdir())


SPOOL = """
    import os, sys, time
    from funcscope.telemetry._config.otlp_target import read_target
    from funcscope.telemetry._delivery.batcher import ExportRequest
    from funcscope.telemetry._delivery.spool import Spool

    HERE = read_target("traces", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, [])
    folder, *arguments = sys.argv[1:]
"""

SENDER = """
    spool = Spool(folder)
    for number in range(200):
        spool.put(ExportRequest("traces", f"{arguments[0]}{number}".encode(), 1), HERE)
    print("ready", flush=True)
    sys.stdin.readline()
    while (spooled := spool.take(HERE)) is not None:
        print(spooled.request.data.decode())
        spool.remove(spooled)
"""


def run(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python process with a spool that can be talked to."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SPOOL) + textwrap.dedent(code), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def hear(process: subprocess.Popen[str]) -> str:
    """Read what a process says next."""
    assert process.stdout
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    """Let a process go on."""
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def test_two_processes(tmp_path: Path) -> None:
    """Two processes on one folder send each request once between them, and lose none."""
    places = views(tmp_path)
    processes = [run(SENDER, str(next(places)), name) for name in "ab"]
    for process in processes:
        assert hear(process) == "ready"
    for process in processes:
        tell(process)
    sent: Counter[str] = Counter()
    for process in processes:
        sent.update(process.communicate(timeout=PROCESS_S)[0].split())

    assert sent == Counter(f"{name}{number}" for name in "ab" for number in range(200))
    assert not files(tmp_path)


FILLER = """
    max_bytes, puts = map(int, arguments)
    spool, dropped = Spool(folder, max_bytes, on_drop=lambda *drop: dropped.append(drop)), []
    print("ready", flush=True)
    sys.stdin.readline()
    refused = 0
    for number in range(puts):
        size = 10 + 3000 * (number % 5)
        refused += spool.put(ExportRequest("traces", bytes(size), 1), HERE) is not None
        if number % 7 == 0 and (spooled := spool.take(HERE)) is not None:
            spool.release(spooled)
    print(puts - refused - sum(number for _, _, number in dropped))
"""


@pytest.mark.parametrize("blocks", [20, 150])
def test_bytes_are_bounded_while_processes_write(tmp_path: Path, blocks: int) -> None:
    """Three processes that fill one folder never take more than they may, and count all drops."""
    limit, places = blocks * BLOCK, views(tmp_path)
    number = "80" if "VIEWS" in os.environ else "400"  # networks are slow
    processes = [run(FILLER, str(next(places)), str(limit), number) for _ in range(3)]
    for process in processes:
        assert hear(process) == "ready"
    for process in processes:
        tell(process)
    most = 0
    while any(process.poll() is None for process in processes):
        most = max(most, measured(tmp_path))
    kept = sum(int(process.communicate(timeout=PROCESS_S)[0]) for process in processes)

    assert most <= limit
    assert measured(tmp_path) > limit // 2
    assert len(taken(Spool(tmp_path))) == kept


def measured(folder: Path) -> int:
    """Measure what files take by their inodes: one that is renamed meanwhile is listed twice."""
    sizes: dict[int, int] = {}
    for entry in os.scandir(folder):
        try:
            status = entry.stat()
        except FileNotFoundError:
            continue
        sizes[status.st_ino] = -(-status.st_size // BLOCK) * BLOCK
    return sum(sizes.values())


HOLDER = """
    held = Spool(folder).take(HERE)
    print(held.request.count, flush=True)
    sys.stdin.readline()
"""


@needs_processes
def test_lease_of_a_dead_process_is_recovered(tmp_path: Path) -> None:
    """What a process had taken when it was killed is there for the next on its machine at once."""
    spool = Spool(tmp_path)
    put(spool, numbered(7))
    holder = run(HOLDER, str(tmp_path))
    assert hear(holder) == "7"

    assert spool.take(HERE) is None
    holder.kill()
    holder.communicate(timeout=PROCESS_S)
    assert taken(spool) == [7]


FORKED = """
    spool = Spool(folder)
    for number in (1, 2):
        spool.put(ExportRequest("traces", b"x", number), HERE)
    held = spool.take(HERE)
    if not os.fork():
        spool.reset()
        print(spool.take(HERE).request.count, spool.take(HERE), flush=True)
        os._exit(0)
    os.wait()
    spool.release(held)
    print(spool.take(HERE).request.count)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_child_leaves_its_parents_leases_alone(tmp_path: Path) -> None:
    """A forked child does not get what its parent has, and the parent can put it back."""
    assert run(FORKED, str(tmp_path)).communicate(timeout=PROCESS_S)[0].split() == [
        "2", "None", "1",
    ]  # fmt: skip


# The end of a process at any moment

DYING = """
    import json

    def live(path, steps, say):
        drop = lambda _signal, _reason, number: say("dropped", number)
        spool = Spool(path, 5 * 4096, fsync=True, on_drop=drop)
        held, number = [], 0
        for step in steps:
            if step in "pP":
                number += 1
                data = str(number).encode().ljust(6000 if step == "P" else 9)
                say("put", number)
                if spool.put(ExportRequest("traces", data, number), HERE) is None:
                    say("stored", number)
            elif step == "t":
                held += [spooled for spooled in [spool.take(HERE)] if spooled]
            elif held and step == "r":
                spool.release(held.pop())
            elif held and step == "s":
                say("sent", held[-1].request.count)
                spool.remove(held.pop())

    def die_after(calls):
        def count(_frame, event, _argument):
            nonlocal calls
            calls -= event in ("c_call", "c_return")
            if calls < 0:
                os._exit(9)
        sys.setprofile(count)

    for line in sys.stdin:
        path, steps, calls = json.loads(line)
        reading, writing = os.pipe()
        if not os.fork():
            say = lambda *event: os.write(writing, f"{event[0]} {event[1]}\\n".encode())
            die_after(calls)
            live(path, steps, say)
            os._exit(0)
        os.close(writing)
        with open(reading) as pipe:
            events = [event.split() for event in pipe]
        os.wait()
        taken = sum(os.path.getsize(os.path.join(path, name)) for name in os.listdir(path))
        last = events[-1:]
        drop = lambda _signal, _reason, number: events.append(["dropped", number])
        spool, left = Spool(path, on_drop=drop), []
        while (spooled := spool.take(HERE)) is not None:
            left.append(spooled.request.count)
            spool.remove(spooled)
        print(json.dumps([events, last, left, taken, os.listdir(path)]), flush=True)
"""


class Death(NamedTuple):
    """What a process had said when it died, and last of all; what was there for the next."""

    said: list[tuple[str, int | str]]
    last: list[tuple[str, int | str]]
    left: list[int]
    size: int
    names: list[str]

    def numbers(self, *kinds: str) -> set[int]:
        """Return the requests of which it said so."""
        return {int(number) for kind, number in self.said if kind in kinds}


@pytest.fixture(scope="module")
def die(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, int], Death]]:
    """Run steps in a process that dies after so many calls of built-in functions."""
    process = run(DYING, "")

    def live(steps: str, calls: int) -> Death:
        folder = str(tmp_path_factory.mktemp("spool"))
        assert process.stdin
        process.stdin.write(json.dumps([folder, steps, calls]) + "\n")
        process.stdin.flush()
        return Death(*json.loads(hear(process)))

    yield live
    process.communicate(timeout=PROCESS_S)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@given(steps=st.text("pPtrs", min_size=1, max_size=12), calls=st.integers(0, 1500))
@settings(max_examples=150)
def test_any_call_may_be_the_last(die: Callable[[str, int], Death], steps: str, calls: int) -> None:
    """
    Wherever a process dies, the next sends what was stored, once, and no file is left.

    But for what it was at: a body that it had sent may be sent again, one that it was putting may
    be there or not, and the one that was to make room for that may be gone.
    """
    death = die(steps, calls)
    at = {int(number) for kind, number in death.last if kind in ("put", "sent", "dropped")}
    was_putting = bool(death.last) and death.last[0][0] in ("put", "dropped")
    owed = death.numbers("stored") - death.numbers("sent", "dropped")
    missing = owed - set(death.left)

    assert death.left == sorted(set(death.left))
    assert set(death.left) - owed <= at | ({max(death.numbers("put"))} if was_putting else set())
    assert len(missing) <= was_putting
    assert missing <= set(sorted(owed)[:1])
    assert death.size <= 5 * BLOCK
    assert not death.names


def test_names_that_the_decision_shows() -> None:
    """The decision shows names of files that are a spool's, and says what is in them."""
    text = text_of("docs/decisions/045-a-spool-without-locks.md")
    free, fields, *held = (line.split("  ")[0] for line in text.splitlines())
    whole = [free, *(name.replace("… .otlp", free) for name in held)]
    files = [parse(name) for name in whole]

    assert [file.name for file in files if file] == whole
    assert [file.state for file in files if file] == ["", "leased", "tmp"]
    assert files[0] is not None
    assert (
        len(fields.split(", ")) == len(SpoolFile._fields) - 3 + 1
    )  # those of who holds it; version
