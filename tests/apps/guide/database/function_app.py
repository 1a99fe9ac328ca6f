import funcscope.auto  # noqa: F401, I001


import json
import logging
import os

import azure.functions as func
from azure.cosmos import CosmosClient
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

ENDPOINT, KEY = os.environ["COSMOS_ENDPOINT"], os.environ["COSMOS_KEY"]
client = CosmosClient(ENDPOINT, KEY)
async_client = AsyncCosmosClient(ENDPOINT, KEY)


@app.route(route="orders/{number}")
def order(req: func.HttpRequest) -> str:
    container = client.get_database_client("shop").get_container_client("orders")
    number = req.route_params["number"]
    item = container.read_item(number, partition_key=number)
    logging.info("read order %s by order", number)
    return json.dumps({"id": item["id"], "total": item["total"]})


@app.route(route="async_orders/{number}")
async def async_order(req: func.HttpRequest) -> str:
    container = async_client.get_database_client("shop").get_container_client("orders")
    number = req.route_params["number"]
    item = await container.read_item(number, partition_key=number)
    logging.info("read order %s by async_order", number)
    return json.dumps({"id": item["id"], "total": item["total"]})
