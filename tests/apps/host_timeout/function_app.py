"""A function that never ends by itself."""

import os
import threading

import azure.functions as func

import funcscope.auto  # noqa: F401

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("forever")
def forever(req):
    threading.Event().wait()


@app.route("whoami")
def whoami(req):
    return str(os.getpid())


@app.route("breaks")
def breaks(req):
    breakpoint()  # noqa: T100
    return "gone on"
