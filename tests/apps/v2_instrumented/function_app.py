"""A v2 app whose clients are made once, when it is imported."""

import funcscope.auto  # noqa: F401, I001  (what this app is about)

import os
import urllib.request

import azure.functions as func
import httpx
import requests
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
import sqlalchemy

if os.environ.get("OWN"):
    RequestsInstrumentor().instrument(
        request_hook=lambda span, request: span.set_attribute("hooked", request.method)
    )
if os.environ.get("OFF"):
    SQLAlchemyInstrumentor().uninstrument()

app = func.FunctionApp()
engine = sqlalchemy.create_engine("sqlite://")
session = requests.Session()
client = httpx.Client()
aclient = httpx.AsyncClient()
URL = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/absent"


@app.route("sql")
def sql(req: func.HttpRequest) -> str:
    with engine.connect() as connection:
        return str(connection.execute(sqlalchemy.text("select 1 + 1")).scalar())


@app.route("session")
def by_session(req: func.HttpRequest) -> str:
    return str(session.get(URL, timeout=60).status_code)


@app.route("client")
def by_client(req: func.HttpRequest) -> str:
    return str(client.get(URL).status_code)


@app.route("aclient")
async def by_aclient(req: func.HttpRequest) -> str:
    return str((await aclient.get(URL)).status_code)


@app.route("opener")
def by_opener(req: func.HttpRequest) -> str:
    try:
        with urllib.request.urlopen(URL, timeout=60) as answer:
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return str(error.code)
