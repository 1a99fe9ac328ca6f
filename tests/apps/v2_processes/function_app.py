"""A v2 app whose functions start processes."""

import funcscope.auto  # noqa: F401, I001

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import azure.functions as func
from opentelemetry import trace
from work import TIMEOUT_S, continued, in_pool, measure, record

from funcscope.telemetry import child_environment, continue_invocation

app = func.FunctionApp()
pools: list[ProcessPoolExecutor] = []


def join(process: multiprocessing.Process) -> None:
    process.join(TIMEOUT_S)
    # Not 0 of what a pool's thread has forked, before Python 3.13.1: python/cpython#88110.
    assert process.exitcode is not None


@app.route("program")
def program(req: func.HttpRequest) -> str:
    record("parent")
    script = str(Path(__file__).with_name("work.py"))
    subprocess.run(
        [sys.executable, script, "child"], env=child_environment(), check=True, timeout=TIMEOUT_S
    )
    return "x"


@app.route("spawn")
def spawn(req: func.HttpRequest) -> str:
    record("parent")
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=continued, args=(child_environment(),))
    process.start()
    join(process)
    return "x"


@app.route("forkserver")
def forkserver(req: func.HttpRequest) -> str:
    record("parent")
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=continued, args=(child_environment(),))
    process.start()
    join(process)
    return "x"


@app.route("fork")
def fork(req: func.HttpRequest) -> str:
    record("parent")
    measure()
    context = multiprocessing.get_context("fork")
    with trace.get_tracer("app").start_as_current_span("span around fork"):
        process = context.Process(target=continued, args=(child_environment(),))
        process.start()
        join(process)
    return "x"


@app.route("plain_fork")
def plain_fork(req: func.HttpRequest) -> str:
    record("parent")
    process = multiprocessing.get_context("fork").Process(target=record, args=("child",))
    process.start()
    join(process)
    return "x"


@app.route("os_fork")
def os_fork(req: func.HttpRequest) -> str:
    record("parent")
    child = os.fork()
    if not child:
        with continue_invocation():
            record("child")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    return "x"


@app.route("threads")
def threads(req: func.HttpRequest) -> str:
    parents = threading.enumerate()
    names = {thread.name for thread in parents}
    assert {"funcscope-delivery", "funcscope-export-1"} <= names, names
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        left = [t.name for t in threading.enumerate() if t in parents]
        left.remove(threading.current_thread().name)
        os.write(writing, repr(left).encode())
        os._exit(0)
    os.close(writing)
    left = os.read(reading, 1000).decode()
    os.waitpid(child, 0)
    assert left == "[]", left
    return "x"


@app.route("pool")
def pool(req: func.HttpRequest) -> str:
    if not pools:
        context = multiprocessing.get_context("fork")
        pools.append(ProcessPoolExecutor(1, mp_context=context))
    pools[0].submit(in_pool, child_environment()).result(TIMEOUT_S)
    return "x"


@app.route("close_pool")
def close_pool(req: func.HttpRequest) -> str:
    pools.pop().shutdown()
    return "x"
