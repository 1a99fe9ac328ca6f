"""An order as an orchestration: reserve all items at once, charge with retries, ship."""

import funcscope.auto

import logging
from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("orders", methods=["POST"])
@app.durable_client_input(client_name="client")
async def order(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance_id = await client.start_new("process", client_input=req.get_json())
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context")
def process(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    items = context.get_input()
    logging.info("an order of %d items", len(items))  # once, however often this is replayed
    prices = yield context.task_all([context.call_activity("reserve", item) for item in items])
    again = df.RetryOptions(first_retry_interval_in_milliseconds=100, max_number_of_attempts=3)
    receipt = yield context.call_activity_with_retry("charge", again, sum(prices))
    logging.info("paid with %s", receipt)
    return receipt


@app.activity_trigger(input_name="item")
def reserve(item: str) -> int:
    logging.info("reserving %s", item)
    return len(item)


attempts: dict[str, int] = {}


@app.activity_trigger(input_name="amount")
def charge(amount: int) -> str:
    """Fail the first time that an amount is charged, as banks do."""
    attempts[str(amount)] = attempts.get(str(amount), 0) + 1
    if attempts[str(amount)] == 1:
        raise ConnectionError("the bank does not answer")
    return f"receipt for {amount}"
