import funcscope.auto  # noqa: F401, I001

import logging
from typing import List  # noqa: UP035  (the worker takes no other)

import azure.functions as func


def main(events: List[func.EventHubEvent]) -> None:  # noqa: UP006
    logging.info("hub_batch")
