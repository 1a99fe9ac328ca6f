"""A v2 app with all that an export may tell of: records, spans and metrics of its own, threads."""

import funcscope.auto  # noqa: F401, I001  (what this app is about)

import asyncio
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import azure.functions as func
from opentelemetry import metrics, trace

from funcscope.extensions import FuncExtension, Reject
from funcscope.telemetry import Timing, bind, timed

SECRET = "https://app.net/orders?code=s3cretKey&x=1"
FORMAT = "%(levelname)s %(name)s %(invocation_id)s %(trace_id)s %(span_id)s %(message)s"

app = func.FunctionApp()
log = logging.getLogger("shop")
pool = ThreadPoolExecutor(1)
tracer = trace.get_tracer("shop", "1.2.3", schema_url="https://shop.example/1", attributes={"a": 1})
meter = metrics.get_meter("shop", "1.2.3")
console = logging.StreamHandler(sys.stdout)
console.setFormatter(logging.Formatter(FORMAT))
console.addFilter(lambda record: not record.name.startswith("azure"))
logging.getLogger().addHandler(console)

Timing("spans")


def look_up(order: str) -> str:
    try:
        return {}[order]
    except KeyError as error:
        raise LookupError(f"no order {order} at {SECRET}") from error


@app.route("logs")
def logs(req: func.HttpRequest) -> str:
    log.debug("nobody reads this")
    log.info("plain")
    log.info("asked for %s", SECRET)
    log.warning("%d of %.1f, %r", 3, 2.5, None)
    log.error({"state": "new", "items": [1, "two", 3.0, None, True]})
    log.critical("worst")
    log.log(25, "between levels")
    logging.info("root")
    log.info("text", extra={"order": 17, "price": 1.5, "paid": True, "note": None, "url": SECRET})
    log.info("nested", extra={"lines": [1, 2], "customer": {"id": 7, "password": "s3cret"}})
    log.info("dimensions", extra={"custom_dimensions": {"order": {"id": 17}}})
    log.info("stack", stack_info=True)
    bind(tenant="acme", token="s3cretToken")
    try:
        look_up("o-1")
    except LookupError:
        log.exception("cannot look up")
        log.info("again", exc_info=True)
    log.info("no error", exc_info=True)  # noqa: LOG014  (as it is done)
    return "x"


@app.route("logs_later")
async def logs_later(req: func.HttpRequest) -> str:
    log.info("function")
    await asyncio.create_task(in_task())
    await asyncio.to_thread(log.info, "to thread")
    await asyncio.get_running_loop().run_in_executor(pool, log.info, "in executor")
    return "x"


async def in_task() -> None:
    log.info("task")


@app.route("threads")
def threads(req: func.HttpRequest) -> str:
    with tracer.start_as_current_span("around threads"):
        for target in (partial(log.info, "thread"), nested, fails_in_a_thread):
            thread = threading.Thread(target=target, name="mine")
            thread.start()
            thread.join()
        pool.submit(log.info, "pool").result()
    return "x"


def nested() -> None:
    with tracer.start_as_current_span("in a thread"):
        thread = threading.Thread(target=log.info, args=("nested thread",), name="nested")
        thread.start()
        thread.join()


def fails_in_a_thread() -> None:
    try:
        look_up("o-2")
    except LookupError:
        log.exception("failed in a thread")


@app.route("spans")
def spans(req: func.HttpRequest) -> str:
    with timed("stage"):
        log.info("in a stage")
    context = trace.SpanContext(0xAB << 120, 0xCD << 56, is_remote=True)
    client = tracer.start_span(
        "GET",
        kind=trace.SpanKind.CLIENT,
        attributes={"url.full": SECRET, "sizes": (1, 2), "ratio": 0.5, "cached": False},
        links=[trace.Link(context, {"why": "cause"})],
    )
    with trace.use_span(client, end_on_exit=True):
        client.add_event("retried", {"times": 2, "url": SECRET})
        client.set_status(trace.StatusCode.OK)
    with tracer.start_as_current_span("caught") as caught:
        try:
            look_up("o-3")
        except LookupError as error:
            caught.record_exception(error)
            caught.set_status(trace.StatusCode.ERROR, f"at {SECRET}")
    return "x"


@app.route("measures")
def measures(req: func.HttpRequest) -> str:
    where = {"shop": "north", "url": SECRET}
    meter.create_counter("orders", "{order}", "Orders taken").add(3, where)
    meter.create_up_down_counter("open", "{order}", "Orders open").add(-1.5)
    meter.create_histogram("price", "EUR", "What orders cost").record(17, where)
    meter.create_gauge("stock", "{item}", "What is left").set(5)
    return "x"


@app.route("fails")
def fails(req: func.HttpRequest) -> str:
    log.info("about to fail")
    return look_up("o-4")


@app.route("fails_in_a_span")
async def fails_in_a_span(req: func.HttpRequest) -> str:
    with tracer.start_as_current_span("failing"), timed("stage"):
        return look_up("o-5")


@app.route("status/{code:int}")
def status(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("x", status_code=int(req.url.rpartition("/")[2]))


class NeedsToken(FuncExtension):
    def around_invocation(self, invocation):
        raise Reject(func.HttpResponse("who are you?", status_code=401))
        yield


@app.route("guarded")
@NeedsToken()
def guarded(req: func.HttpRequest) -> str:
    return "never"


@app.route("prints")
def prints(req: func.HttpRequest) -> str:
    print("printed")
    print("printed as an error", file=sys.stderr)
    return "x"
