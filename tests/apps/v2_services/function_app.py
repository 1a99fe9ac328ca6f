"""A v2 app that calls services, for tests/integration/test_services.py."""

import funcscope.auto  # noqa: F401, I001  (what this app is about)

import json
import logging
import os
import re

import aiohttp
import azure.functions as func
import grpc
import httpx
import psycopg
import redis
import requests
import sqlalchemy
import urllib3
from azure.cosmos import CosmosClient
from azure.eventhub import EventData, EventDataBatch
from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch
from azure.storage.blob import BlobClient, BlobSasPermissions, ContainerClient, generate_blob_sas
from azure.storage.queue import QueueClient

SERVICES = json.loads(os.environ["TEST_SERVICES"])
AZURITE, HTTP, POSTGRES = SERVICES["azurite"], SERVICES["http"], SERVICES["postgres"]
STORE = SERVICES["store"]

app = func.FunctionApp()
session = requests.Session()
client = httpx.Client()
aclient = httpx.AsyncClient()
pool = urllib3.PoolManager()
cache = redis.Redis.from_url(SERVICES["redis"])
channel = grpc.insecure_channel(SERVICES["grpc"])
local = sqlalchemy.create_engine("sqlite://")
remote = sqlalchemy.create_engine(POSTGRES.replace("postgresql:", "postgresql+psycopg:"))
container = ContainerClient.from_connection_string(AZURITE, STORE)
queue = QueueClient.from_connection_string(AZURITE, STORE)


def url(path: str) -> str:
    return f"{HTTP}/{path}?code=s3cretKey&sig=s3cretSig&x=1"


@app.route("requests")
def by_requests(req: func.HttpRequest) -> str:
    return session.get(url("requests"), auth=("app", "s3cretPassword"), timeout=60).text


@app.route("httpx")
def by_httpx(req: func.HttpRequest) -> str:
    return client.get(url("httpx").replace("//", "//app:s3cretPassword@")).text


@app.route("httpx_async")
async def by_httpx_async(req: func.HttpRequest) -> str:
    return (await aclient.get(url("httpx_async"))).text


@app.route("aiohttp")
async def by_aiohttp(req: func.HttpRequest) -> str:
    async with aiohttp.ClientSession() as own, own.get(url("aiohttp")) as answer:
        return await answer.text()


@app.route("urllib3")
def by_urllib3(req: func.HttpRequest) -> str:
    return pool.request("GET", url("urllib3")).data.decode()


@app.route("grpc")
def by_grpc(req: func.HttpRequest) -> str:
    answer = channel.unary_unary("/shop.Shop/Sell")(b"", metadata=[("authorization", "s3cretKey")])
    return answer.decode()


@app.route("sqlite")
def by_sqlite(req: func.HttpRequest) -> str:
    with local.connect() as connection:
        return str(connection.execute(sqlalchemy.text("select 1 + 1")).scalar())


@app.route("sqlalchemy")
def by_sqlalchemy(req: func.HttpRequest) -> str:
    with remote.connect() as connection:
        return str(connection.execute(sqlalchemy.text("select 2 + :x"), {"x": 5}).scalar())


@app.route("psycopg")
def by_psycopg(req: func.HttpRequest) -> str:
    with psycopg.connect(POSTGRES) as connection:
        return str(connection.execute("select %s", ("s3cretValue",)).fetchone())


@app.route("psycopg_async")
async def by_psycopg_async(req: func.HttpRequest) -> str:
    async with await psycopg.AsyncConnection.connect(POSTGRES) as connection:
        cursor = await connection.execute("select %s", ("s3cretValue",))
        return str(await cursor.fetchone())


@app.route("psycopg_refused")
def by_psycopg_refused(req: func.HttpRequest) -> str:
    wrong = POSTGRES.partition("@")[2]
    with psycopg.connect(f"postgresql://app:s3cretPassword@{wrong}"):
        return "connected"


@app.route("redis")
def by_redis(req: func.HttpRequest) -> str:
    cache.set("order", "s3cretValue", ex=60)
    return str(cache.get("order"))


@app.route("blob")
def by_blob(req: func.HttpRequest) -> str:
    container.create_container()
    container.upload_blob("order", b"1", overwrite=True)
    sas = generate_blob_sas(
        container.account_name,
        STORE,
        "order",
        account_key=container.credential.account_key,
        permission=BlobSasPermissions(read=True),
        expiry="2100-01-01",
    )
    signed = f"{container.url}/order?{sas}"
    return BlobClient.from_blob_url(signed).download_blob().readall().decode()


@app.route("queue")
def by_queue(req: func.HttpRequest) -> str:
    queue.create_queue()
    queue.send_message("order")
    return str(queue.receive_message().content)


@app.route("cosmos")
def by_cosmos(req: func.HttpRequest) -> str:
    cosmos = CosmosClient(f"{HTTP}/cosmos", "czNjcmV0S2V5")
    return str(cosmos.get_database_client("orders").read())


@app.route("service_bus")
def by_service_bus(req: func.HttpRequest) -> str:
    batch = ServiceBusMessageBatch(max_size_in_bytes=4096)
    batch.add_message(ServiceBusMessage("order"))
    return told(batch.message)


@app.route("event_hubs")
def by_event_hubs(req: func.HttpRequest) -> str:
    batch = EventDataBatch(max_size_in_bytes=4096)
    batch.add(EventData("order"))
    return told(batch.message)


def told(message: object) -> str:
    encoded = b"".join(message._message.body)
    logging.warning(
        "sent with %s", re.search(rb"traceparent.*?(00-[-0-9a-f]+)", encoded)[1].decode()
    )
    return "sent"
