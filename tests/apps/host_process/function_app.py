"""An app that says what its process is like, and ends it in many ways."""

import ctypes
import json
import logging
import os
import subprocess
import sys
import threading
import time

import azure.functions as func
from starlette.applications import Starlette

import funcscope.auto  # noqa: F401

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
made = []
make = Starlette.__init__


def remember(self, *args, **kwargs):
    """Do what instrumentations of frameworks do: put something in the place of the framework's."""
    made.append(self)
    make(self, *args, **kwargs)


Starlette.__init__ = remember
print("imported in", os.getpid())
if os.environ.get("HANG"):
    threading.Event().wait()


@app.route("whoami")
def whoami(req):
    sys.stderr.write("on stderr\n")
    print("on stdout")
    seen = {
        "pid": os.getpid(),
        "path": sys.path,
        "modules": [*sys.modules],
        "main": sys.modules["__main__"].__file__,
        "frameworks": len(made),
        "input": sys.stdin.read(),
    }
    return json.dumps(seen)


@app.route("exits")
def exits(req):
    sys.exit("enough")


@app.route("exits_async")
async def exits_async(req):
    sys.exit(4)


@app.route("starts")
def starts(req: func.HttpRequest) -> str:
    """Start a process that has this one's streams until the gate opens, and leave if asked to."""
    subprocess.Popen(["cat", os.environ["GATE"]])
    if req.params.get("leave"):
        os._exit(3)
    return "started"


@app.route("leaves")
def leaves(req):
    logging.info("leaving")
    print("about to leave")
    os._exit(3)


@app.route("crashes")
def crashes(req):
    ctypes.string_at(0)


@app.route("thread")
def thread(req):
    threading.Thread(target=time.sleep, args=(3600,)).start()
    return "started"


@app.route("debugs")
def debugs(req):
    logging.debug("a debug record")
    logging.info("an info record")
    return "done"


running = []
most = []
pair = threading.Barrier(2)


@app.route("together")
def together(req):
    running.append(1)
    most.append(len(running))
    pair.wait(60)
    running.pop()
    return str(max(most))


@app.route("waits")
def waits(req):
    logging.info("waiting")
    threading.Event().wait()


@app.route("forks")
def forks(req):
    child = os.fork()
    for number in range(20):  # more than a pipe takes at once, from both
        logging.warning("%s %s %s", "child" if child == 0 else "parent", "x" * 100_000, number)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "forked"


@app.route("large", methods=["POST"])
def large(req):
    return func.HttpResponse(req.get_body()[::-1])
