"""What runs in children, which load this module and neither the app nor a worker."""

import logging


def work(number: int) -> int:
    logging.getLogger("app").warning("square of %s", number)
    return number * number
