"""An app whose old import was left standing beside the new one."""

import azure.functions as func
from opencensus.extension.azure.functions import OpenCensusExtension as Retired

from funcscope.contrib.opencensus import OpenCensusExtension

Retired.configure(
    connection_string="InstrumentationKey=00000000-0000-0000-0000-000000000000;"
    "IngestionEndpoint=http://127.0.0.1:9"
)
OpenCensusExtension.configure()

app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest, context: func.Context) -> str:
    with context.tracer.span("parent"):
        return type(context.tracer.exporter).__name__
