"""A v2 app whose functions make children in every way, again and again, and look what is left."""

import funcscope.auto  # noqa: F401, I001

import gc
import json
import logging
import multiprocessing
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import azure.functions as func
from tasks import work

from funcscope.telemetry import continue_invocation

app = func.FunctionApp()
FORK = multiprocessing.get_context("fork")


def with_pool() -> None:
    """End a pool's workers as `with` does: by SIGTERM."""
    with FORK.Pool(2) as pool:
        assert pool.map(work, range(4)) == [0, 1, 4, 9]


def pool_that_is_closed() -> None:
    pool = FORK.Pool(2)
    assert pool.map(work, range(4)) == [0, 1, 4, 9]
    pool.close()
    pool.join()


def executor() -> None:
    with ProcessPoolExecutor(2, mp_context=FORK) as pool:
        assert list(pool.map(work, range(4))) == [0, 1, 4, 9]


def terminated() -> None:
    """End a child that has recorded something and would go on."""
    reading, writing = FORK.Pipe(duplex=False)
    process = FORK.Process(target=sleep_long, args=(writing,))
    process.start()
    reading.recv()
    process.terminate()
    process.join(60)
    assert process.exitcode == -signal.SIGTERM, process.exitcode
    reading.close()
    writing.close()


def sleep_long(ready) -> None:
    logging.getLogger("app").warning("child goes on")
    ready.send(1)
    time.sleep(600)


def forked() -> None:
    child = os.fork()
    if not child:
        try:
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
            assert not [t for t in threading.enumerate() if t.name.startswith("funcscope")]
            with continue_invocation():
                logging.getLogger("app").warning("child of os.fork")
            status = 0
        except BaseException:
            logging.getLogger("app").exception("child of os.fork failed")
            status = 1
        os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def forked_with_a_terminal() -> None:
    try:
        child, terminal = pty.fork()
    except OSError:  # a container may have no terminals
        return
    if not child:
        os._exit(0 if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL else 1)
    assert os.waitpid(child, 0)[1] == 0
    os.close(terminal)


def program() -> None:
    subprocess.run([sys.executable, "-S", "-c", ""], check=True, preexec_fn=int)
    child = os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", ""], os.environ)
    assert os.waitpid(child, 0)[1] == 0


def prefork() -> None:
    """Serve with children that a parent ends, as gunicorn does."""
    children = []
    for _ in range(2):
        child = os.fork()
        if not child:
            while True:
                signal.pause()
        children.append(child)
    for child in children:
        os.kill(child, signal.SIGTERM)
        assert os.waitpid(child, 0)[1] == signal.SIGTERM


def spawned() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(work, range(4)) == [0, 1, 4, 9]


def forkserver() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
        assert list(pool.map(work, range(4))) == [0, 1, 4, 9]


CHILDREN = {
    # Not those whose children return, on a thread: they fail before Python 3.13.1 with or without
    # anything beside them (python/cpython#88110).
    "thread": [with_pool, terminated, forked, forked_with_a_terminal, prefork],
    "loop": [with_pool, pool_that_is_closed, executor, terminated, forked, prefork],
    "all": [program, spawned, forkserver, pool_that_is_closed, executor],
}


def left() -> dict[str, int]:
    """Count what a process can leave behind."""
    gc.collect()
    status = Path("/proc/self/status")
    memory = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        # Less the worker's own, of which it has more as it goes.
        "threads": sum(not t.name.startswith("ThreadPool") for t in threading.enumerate()),
        "children": len(multiprocessing.active_children()),
        "memory_kb": int(memory[0].split()[1]),
    }


def soak(req: func.HttpRequest) -> str:
    """Make children so often; tell how long the longest took, and what there is then."""
    longest: dict[str, float] = {}
    asked = dict(parse_qsl(urlsplit(req.url).query))
    for _ in range(int(asked["rounds"])):
        for make in CHILDREN[asked["children"]]:
            start = time.perf_counter()
            make()
            took = round(time.perf_counter() - start, 2)
            longest[make.__name__] = max(took, longest.get(make.__name__, 0))
    logging.getLogger("app").warning("%s", json.dumps({"longest": longest, **left()}))
    return "x"


@app.route("on_a_thread")
def on_a_thread(req: func.HttpRequest) -> str:
    return soak(req)


@app.route("on_the_loop")
async def on_the_loop(req: func.HttpRequest) -> str:
    return soak(req)
