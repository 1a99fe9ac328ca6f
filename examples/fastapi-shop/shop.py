"""The shop: it knows FastAPI, and nothing of Azure Functions."""

import logging
from concurrent.futures import ThreadPoolExecutor

from fastapi import BackgroundTasks, FastAPI, HTTPException
from opentelemetry import trace

web = FastAPI()
tracer = trace.get_tracer(__name__)
printer = ThreadPoolExecutor(1, thread_name_prefix="printer")
PRICES = {"tea": 4.5, "biscuits": 2.25}


@web.get("/products/{name}")
def product(name: str) -> dict[str, object]:  # FastAPI runs it in a thread
    logging.info("looking up %s", name)
    if name not in PRICES:
        raise HTTPException(404, f"no {name} here")
    return {"name": name, "price": PRICES[name]}


@web.post("/orders/{name}", status_code=202)
async def order(name: str, tasks: BackgroundTasks) -> dict[str, str]:
    with tracer.start_as_current_span("reserve"):
        logging.info("reserving %s", name)
    tasks.add_task(confirm, name)  # the worker waits for it before it sends the answer
    printer.submit(print_label, name)  # nobody waits for this
    return {"ordered": name}


def confirm(name: str) -> None:
    logging.info("a confirmation of %s is sent", name)


def print_label(name: str) -> None:
    with tracer.start_as_current_span("print label"):
        logging.info("the label for %s is printed", name)
