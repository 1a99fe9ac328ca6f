"""A v2 app for the tests of timer triggers."""

import json
import logging
import os
from pathlib import Path

import azure.functions as func

import funcscope.auto  # noqa: F401

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
logger = logging.getLogger(__name__)

NEVER_SOON = "0 0 0 29 2 *"


def report(timer: func.TimerRequest) -> None:
    told = {"past_due": timer.past_due, "status": timer.schedule_status, **timer.schedule}
    logger.info("told %s", json.dumps(told))


@app.timer_trigger(arg_name="timer", schedule="*/1 * * * * *")
def tick(timer: func.TimerRequest) -> None:
    if "GATE" in os.environ:
        logger.info("at the gate")
        Path(os.environ["GATE"]).read_text("utf-8")


@app.timer_trigger(arg_name="timer", schedule=NEVER_SOON, run_on_startup=True)
def start(timer: func.TimerRequest) -> None:
    report(timer)


@app.timer_trigger(arg_name="timer", schedule="%TEA_TIME%", use_monitor=False)
async def tea(timer: func.TimerRequest) -> None:
    report(timer)


@app.timer_trigger(arg_name="timer", schedule="0 0 25 * * *")
def wrong(timer: func.TimerRequest) -> None:
    report(timer)


@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"
