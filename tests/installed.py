"""
Try funcscope as it is installed, with extras: run by `make release-check` in each environment.

    python -I tests/installed.py grpc

Nothing is read of the sources: `-I` keeps this folder out of the path.
"""

from __future__ import annotations

import gzip
import importlib
import logging
import os
import pkgutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

PACKAGES = ("azuremonitor", "durable", "host", "opencensus", "testing", "web")
"""Extras with a package of their name in funcscope.contrib; the others are libraries alone."""
TRIED = {"": (), "all": (*PACKAGES, "grpc", "instrument", "socks")}
"""What there is to try of these; of any other extra, itself."""

RARE = ("funcscope.telemetry._http.library", "socks")
"""A module that rare proxies alone load, and the extra that has what it imports (decision 043)."""

COMMAND = ("-m", "funcscope.contrib.host.cli")

APP = """
import azure.functions as func
import funcscope.auto

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""

TRACKED = b'{"itemsReceived": 1, "itemsAccepted": 1, "errors": []}'
"""What Azure Monitor answers."""

TEST = """
def test_hello(invoke, spans):
    assert invoke("hello").response.get_body() == b"hello"
    assert [span.name for span in spans] == ["function hello"]
"""


def main(extra: str) -> int:
    """Try what an extra adds; for `--call`, call a function."""
    if extra == "--call":
        return call()
    extras = TRIED.get(extra, (extra,))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("function_app.py").write_text(APP)
        Path("host.json").write_text('{"version": "2.0", "telemetryMode": "OpenTelemetry"}')
        Path("test_hello.py").write_text(TEST)
        Path("pytest.ini").write_text("[pytest]\n")  # none of a folder above
        assert "TelemetryExtension" in run("-m", "funcscope.extensions", "function_app")
        run(*COMMAND, "--version")
        assert_span_arrives(extras)
        if "grpc" in extras:
            assert_span_arrives_over_grpc()
        if "testing" in extras:
            run("-m", "pytest", "-q", "-W", "error", "--rootdir", ".", "test_hello.py")
        if "host" in extras:
            run(*COMMAND, "doctor", ".")
            if sys.version_info >= (3, 13):
                run(*COMMAND, "demo")
        packages = ["extensions", "telemetry", "auto"]
        packages += [f"contrib.{extra}" for extra in extras if extra in PACKAGES]
        for name in packages:
            import_all(f"funcscope.{name}", left_out=() if RARE[1] in extras else RARE[:1])
    return 0


def run(*arguments: str, environ: Mapping[str, str] | None = None) -> str:
    """Run this Python in the app's folder and return what it says."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}"
    return done.stdout


def assert_span_arrives(extras: Collection[str]) -> None:
    """Call a function in a process of its own, whose span arrives and which warns of nothing."""
    with receiving() as (url, received):
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
        if "azuremonitor" in extras:
            key = "InstrumentationKey=00000000-0000-0000-0000-000000000001"
            environ["APPLICATIONINSIGHTS_CONNECTION_STRING"] = f"{key};IngestionEndpoint={url}"
            environ["APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL"] = "true"
        if "instrument" in extras:
            environ["FUNCSCOPE_INSTRUMENT"] = "auto"
        said = run("-I", __file__, "--call", environ=environ)
    ways = {path for path, body in received if b"smoked" in body}
    assert not said, said
    assert "/v1/traces" in ways, received
    assert any("track" in path for path in ways) is ("azuremonitor" in extras), received


def assert_span_arrives_over_grpc() -> None:
    """Call a function whose span goes over gRPC."""
    grpc: Any = importlib.import_module("grpc")  # has no types
    received: dict[str, bytes] = {}

    def handler(signal: str) -> object:
        def keep(request: bytes, _context: object) -> bytes:
            received[signal] = request
            return b""

        service = f"opentelemetry.proto.collector.{signal.lower()}.v1.{signal}Service"
        method = grpc.unary_unary_rpc_method_handler(keep)
        return grpc.method_handlers_generic_handler(service, {"Export": method})

    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([handler(signal) for signal in ("Trace", "Logs", "Metrics")])
    url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    said = run("-I", __file__, "--call", environ=environ)
    server.stop(None)
    assert not said, said
    assert b"smoked" in received.get("Trace", b""), received


@contextmanager
def receiving() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Receive OTLP/HTTP and Azure Monitor's: the URL, and a list of paths and bodies."""
    received: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_zipped = self.headers["Content-Encoding"] == "gzip"
            received.append((self.path, gzip.decompress(body) if is_zipped else body))
            self.send_response(200)
            answer = TRACKED if "track" in self.path else b""
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        server.server_close()


def call() -> int:
    """Call a function as a worker does; the end of the process sends its span."""
    from funcscope.extensions import Function
    from funcscope.extensions.integration import Lifecycle, WorkerIds

    logging.basicConfig(level=logging.WARNING)
    importlib.import_module("funcscope.auto")
    lifecycle = Lifecycle(
        Function("smoked", str(Path.cwd()), is_async=False, qualified_name="app.smoked"),
        wants_context=False,
        has_context_binding=False,
        ids=WorkerIds(thread_local=None),
    )
    smoked = lifecycle.wrap(lambda: 17)
    lifecycle.loaded()
    return int(smoked() != 17)


def import_all(name: str, left_out: Collection[str]) -> None:
    """Import a package with all its modules, but apps: those are users' code."""
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if module.name not in left_out and not module.name.endswith(("__main__", ".app")):
            importlib.import_module(module.name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
