"""A v2 app for the tests of retry policies: timers that fail, each in its own way."""

import json
import logging

import azure.functions as func

import funcscope.auto  # noqa: F401

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
logger = logging.getLogger(__name__)


def report(context: func.Context) -> None:
    state = context.retry_context
    error = getattr(state.rpc_exception, "message", "")
    logger.info("attempt %s", json.dumps([state.retry_count, state.max_retry_count, error]))


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
def fails(timer: func.TimerRequest, context: func.Context) -> None:
    report(context)
    raise ValueError(f"no tea left, {context.retry_context.retry_count}")


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
@app.retry(
    strategy="exponential_backoff",
    max_retry_count="-1",
    minimum_interval="00:00:00",
    maximum_interval="00:00:01",
)
async def recovers(timer: func.TimerRequest, context: func.Context) -> None:
    report(context)
    if context.retry_context.retry_count < 3:
        raise ValueError("not yet")


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
@app.retry(strategy="fixed_delay", max_retry_count="4", delay_interval="23:00:00")
def waits(timer: func.TimerRequest, context: func.Context) -> None:
    raise ValueError("no tea today")


@app.queue_trigger(arg_name="message", queue_name="orders", connection="X")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
def queue(message: func.QueueMessage, context: func.Context) -> None:
    report(context)
    raise ValueError("no tea left")


@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"
