"""OpenCensus's extension as its README sets it up, on a worker that knows no extensions."""

import json
import os
from pathlib import Path

import azure.functions as func
from opencensus.extension.azure.functions import OpenCensusExtension
from opencensus.trace.base_exporter import Exporter

from funcscope.extensions import install

install()
OpenCensusExtension.configure(
    connection_string="InstrumentationKey=00000000-0000-0000-0000-000000000000;"
    "IngestionEndpoint=http://127.0.0.1:9"
)


class Captured(Exporter):
    """Appends spans to the file that the test reads, in place of sending them."""

    def export(self, span_datas):
        with Path(os.environ["HOOK_LOG"]).open("a") as file:
            for span in span_datas:
                context = span.context
                fields = (span.name, context.trace_id, str(span.parent_span_id))
                file.write(json.dumps(fields) + "\n")

    emit = export


OpenCensusExtension._exporter = Captured()
app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest, context: func.Context) -> str:
    with context.tracer.span(name="parent"):
        return "hello"


@app.route("later")
async def later(req: func.HttpRequest, context: func.Context) -> str:
    with context.tracer.span(name="parent"):
        return "later"
