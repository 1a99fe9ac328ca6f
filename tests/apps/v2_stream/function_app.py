"""A v2 app whose libraries log the URLs that they call."""

import funcscope.auto  # noqa: F401, I001  (what this app is about)

import logging
import os
from urllib.error import HTTPError
from urllib.request import urlopen

import azure.functions as func

app = func.FunctionApp()
URL = "https://app.net/api/f?code=s3cretKey&x=1"

logging.getLogger("httpx").info("at import: %s", URL)


@app.route("fetch")
def fetch(req: func.HttpRequest) -> str:
    logging.getLogger("httpx").info('HTTP Request: %s %s "%s"', "GET", URL, "HTTP/1.1 200 OK")
    try:
        raise ConnectionError(f"cannot reach {URL}")
    except ConnectionError:
        logging.exception("took %d ms", 3, extra={"url": URL})
    logging.info("took %d ms", 4)
    return "fetched"


@app.route("measured")
def measured(req: func.HttpRequest) -> str:
    try:
        urlopen(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/absent?code=s3cretKey&x=1")
    except HTTPError as error:
        return str(error.code)
    return "there"
