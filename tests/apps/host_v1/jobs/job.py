"""A queue function of the v1 model, with a script and an entry point of its own choice."""

import logging

import azure.functions as func


def run(message: func.QueueMessage, response: func.Out[str]) -> None:
    logging.info("got %s", message.get_body().decode())
    response.set("done")
