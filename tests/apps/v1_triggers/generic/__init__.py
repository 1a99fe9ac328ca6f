import funcscope.auto  # noqa: F401, I001

import logging


def main(event: str) -> None:
    logging.info("generic")
