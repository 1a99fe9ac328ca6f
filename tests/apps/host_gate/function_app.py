"""Functions that stay in flight until the test lets them go."""

import asyncio
import logging
import os
from pathlib import Path

import azure.functions as func

import funcscope.auto  # noqa: F401 -- it acts when imported

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="wait")
def wait(req: func.HttpRequest) -> str:
    return wait_at_gate()


@app.queue_trigger(arg_name="message", queue_name="orders", connection="X")
def wait_in_queue(message: func.QueueMessage) -> None:
    wait_at_gate()


@app.queue_trigger(arg_name="message", queue_name="orders", connection="X")
async def await_in_queue(message: func.QueueMessage) -> None:
    await asyncio.to_thread(wait_at_gate)


def wait_at_gate() -> str:
    """Block until the test writes into its named pipe."""
    logging.info("at the gate")
    return Path(os.environ["GATE"]).read_text(encoding="utf-8")
