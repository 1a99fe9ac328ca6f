"""
What a fresh process takes: run as a script of its own, which prints JSON.

`imports NAME` takes the time and memory of an import, over `import azure.functions`; `first APP`
runs the worker to its first invocation and on to a hundred.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from time import perf_counter

COUNT = 100


def imports(name: str) -> None:
    """Import the subject after what every app imports."""
    import azure.functions  # noqa: F401
    from tests.benchmarks.resident import resident_bytes

    before, start = resident_bytes(), perf_counter()
    SUBJECTS[name]()
    seconds = perf_counter() - start
    print(json.dumps({"seconds": seconds, "bytes": resident_bytes() - before}))


def import_funcscope() -> None:
    """Do what an app does."""
    import funcscope.auto  # noqa: F401


def import_raw() -> None:
    """Set up the SDK by hand."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    trace.get_tracer("app")


def import_azure_monitor() -> None:
    """Set up Azure Monitor's distro."""
    from importlib import import_module

    import_module("azure.monitor.opentelemetry").configure_azure_monitor()


def import_ddtrace() -> None:
    """Set up Datadog's tracer."""
    from importlib import import_module

    import_module("ddtrace").patch(azure_functions=True)


def import_elastic() -> None:
    """Set up Elastic's extension."""
    from importlib import import_module

    import_module("elasticapm.contrib.serverless.azure").ElasticAPMExtension.configure()


def first(app: str) -> None:
    """Run the worker to its first invocation, and tell when its span is sent; then to more."""
    import asyncio
    import logging

    from tests.benchmarks.child import drain
    from tests.benchmarks.resident import resident_bytes
    from tests.benchmarks.worker import Worker

    logging.getLogger().setLevel(logging.INFO)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = Worker()
    loop.run_until_complete(worker.start(Path(app)))
    loop.run_until_complete(worker.one_by_one(worker.requests("hello_async", 1)))
    drain()
    print("{}", flush=True)
    loop.run_until_complete(worker.one_by_one(worker.requests("hello_async", COUNT - 1)))
    drain()
    print(json.dumps({"bytes": resident_bytes()}))


SUBJECTS = {
    "funcscope": import_funcscope,
    "raw": import_raw,
    "azure-monitor": import_azure_monitor,
    "ddtrace": import_ddtrace,
    "elastic": import_elastic,
}

if __name__ == "__main__":
    {"imports": imports, "first": first}[sys.argv[1]](sys.argv[2])
    sys.stdout.flush()
    # Not the interpreter's own end: exporters would try until they time out.
    os._exit(0)
