"""
Run an app without names of others' that we use, each in a process of its own.

    python without_names.py http _app_exts _functions '!block("google.protobuf", ImportError)'

A name is taken away by giving it another in our own sources as they are imported, which is what
happens to us when its owner renames it; after a `!` comes code that breaks something else. What
came of each is printed as JSON, a line each.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import os
import re
import sys
import tempfile
import traceback
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funcscope.contrib.host import (
    LibraryWorker,
    OtlpReceiver,
    TelemetryStore,
    find_app,
    function_rpc,
)

if TYPE_CHECKING:
    from types import CodeType

AT_ONCE = 4
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

HTTP = """
import funcscope.auto
import logging, threading
import azure.functions as func
from azure.functions import AppExtensionBase
from funcscope.telemetry import Timing, timed

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
Timing("hello")

@timed("stage")
@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    thread = threading.Thread(target=logging.info, args=("in a thread",))
    thread.start()
    thread.join()
    logging.info("in the function")
    return "hello"

@app.route("later")
async def later(req: func.HttpRequest) -> str:
    logging.info("in the function")
    return "later"
"""
ALONE = """
import funcscope.auto
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""
FLASK = """
import funcscope.auto
import logging
import azure.functions as func
from flask import Flask
from opentelemetry.instrumentation.flask import FlaskInstrumentor

web = Flask(__name__)
FlaskInstrumentor().instrument_app(web)

@web.get("/api/hello")
def hello():
    logging.info("in the function")
    return "hello"

app = func.WsgiFunctionApp(app=web.wsgi_app, http_auth_level=func.AuthLevel.ANONYMOUS)
"""
OPENCENSUS = """
from funcscope.contrib.opencensus import OpenCensusExtension
OpenCensusExtension.configure(libraries=["logging"])
import logging
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("hello")
def hello(req: func.HttpRequest, context: func.Context) -> str:
    with context.tracer.span("census"):
        logging.info("in the function")
    return "hello"
"""
APPS = {"alone": ALONE, "http": HTTP, "flask": FLASK, "opencensus": OPENCENSUS}


class Renaming(PathFinder):
    """Finds our modules, with a name changed in each."""

    name = ""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Find a module; those of others are left to others."""
        if not fullname.startswith("funcscope."):
            return None
        spec = super().find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            source = Path(spec.loader.path).read_text("utf-8")
            if re.search(rf"\b{cls.name}\b", source):
                spec.loader = RenamingLoader(fullname, spec.loader.path)
        return spec


class RenamingLoader(SourceFileLoader):
    """Loads a module of ours, with a name changed."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile it, and leave what was compiled before alone."""
        source = Path(self.path).read_text("utf-8")
        # Modules of our own may be called the same.
        lines = source.splitlines(keepends=True)
        name = re.compile(rf"\b{Renaming.name}\b")
        changed = (name.sub(f"{Renaming.name}_gone", line) for line in lines)
        renamed = "".join(
            line if "funcscope." in line else new for line, new in zip(lines, changed, strict=True)
        )
        return self.source_to_code(renamed.encode(), self.path)


def purge(package: str) -> None:
    """Have a package imported anew."""
    for module in [m for m in sys.modules if m == package or m.startswith(f"{package}.")]:
        del sys.modules[module]


def block(name: str, error: type[BaseException]) -> None:
    """Have the import of a module fail, and of what is in it."""

    class Blocking:
        @staticmethod
        def find_spec(fullname: str, path: Any = None, target: Any = None) -> None:
            if fullname == name or fullname.startswith(f"{name}."):
                raise error(fullname)

    purge(name)
    sys.meta_path.insert(0, Blocking)


class Lines(logging.Handler):
    """Keeps what funcscope says."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("funcscope.") and record.levelno >= logging.WARNING:
            self.lines.append(record.getMessage()[:200])


async def call_all(folder: Path) -> list[str]:
    """Start an app and call its functions, twice each."""
    protos = function_rpc()
    worker = LibraryWorker.for_app(find_app(folder, os.environ))
    answers = []
    try:
        functions = await worker.start()
        for function in [*functions, *functions]:
            request = protos.RpcHttp(method="GET", url="https://app.net/api/hello")
            outcome = await worker.invoke(
                function,
                {str(function.trigger["name"]): protos.TypedData(http=request)},
                invocation_id="i-1",
                trace_parent=f"00-{TRACE}-00f067aa0ba902b7-01",
            )
            answers.append("answers" if outcome.is_ok else outcome.error)
        await asyncio.to_thread(flush)
    finally:
        worker.stop()
    return answers


def flush() -> None:
    """Send what was recorded, where there is something."""
    try:
        from opentelemetry import _logs, trace
    except (ImportError, StopIteration):
        return
    for provider in (trace.get_tracer_provider(), _logs.get_logger_provider()):
        send: Any = getattr(provider, "force_flush", None)
        if send is not None:
            send()


def run(app: str, name: str) -> dict[str, object]:
    """Run an app without a name, and tell what came of it."""
    if name.startswith("!"):
        exec(name[1:], {"purge": purge, "block": block})
    else:
        Renaming.name = name
        sys.meta_path.insert(0, Renaming)
    for module in [m for m in sys.modules if m.startswith("funcscope.")]:
        del sys.modules[module]
    lines, store = Lines(), TelemetryStore()
    logging.getLogger().addHandler(lines)
    logging.getLogger().setLevel(logging.INFO)
    folder = Path(tempfile.mkdtemp())
    (folder / "function_app.py").write_text(APPS[app])
    (folder / "host.json").write_text('{"version": "2.0"}')
    with OtlpReceiver(store.add) as receiver:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.endpoint
        os.environ["OTEL_METRICS_EXPORTER"] = "none"
        answers = asyncio.run(call_all(folder))
    inside = [log for log in store.logs if log.body == "in the function"]
    spans = [s for s in store.spans if s.trace_id == TRACE and s.parent_id == "00f067aa0ba902b7"]
    return {
        "answers": sorted(set(answers)),
        "spans": len(spans) == len(answers),
        "logs": len(inside) == len(answers) and {log.trace_id for log in inside} == {TRACE},
        "lines": lines.lines,
    }


def main(app: str, names: list[str]) -> None:
    """Fork a process for each name: what others bring is imported once."""
    preload = ["azure_functions_runtime", "opentelemetry.sdk.trace", "opentelemetry.sdk._logs"]
    preload += ["opentelemetry.sdk.metrics", "opentelemetry.instrumentation.logging.handler"]
    preload += {"flask": ["flask"], "opencensus": []}.get(app, [])
    for module in preload:
        importlib.import_module(module)
    running: list[int] = []
    for name in names:
        if len(running) == AT_ONCE:
            os.waitpid(running.pop(0), 0)
        child = os.fork()
        if child:
            running.append(child)
            continue
        try:
            came = run(app, name)
        except BaseException:
            came = {"answers": [traceback.format_exc()[-1000:]], "lines": []}
        # In one piece, as others write, too.
        os.write(1, f"{json.dumps({'name': name, **came})}\n".encode()[-4000:])
        os._exit(0)
    for child in running:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
