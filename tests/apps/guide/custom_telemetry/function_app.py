import logging

import azure.functions as func

from funcscope.contrib.opencensus import OpenCensusExtension

OpenCensusExtension.configure()

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="traced")
def traced(req: func.HttpRequest, context: func.Context) -> str:
    logging.info("executing with the extension")
    with context.tracer.span("parent"):
        logging.info("inside the span")
    return "traced"
