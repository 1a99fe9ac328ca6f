"""A queue's messages, with function-level timing by `__file__`."""

import logging

import azure.functions as func

from funcscope.telemetry import Timing, timed

Timing(__file__)


def main(msg: func.QueueMessage) -> None:
    with timed("stage"):
        logging.info("order %s", msg.get_body().decode())
