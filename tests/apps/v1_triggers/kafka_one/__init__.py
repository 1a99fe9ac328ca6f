import funcscope.auto  # noqa: F401, I001

import logging

import azure.functions as func


def main(event: func.KafkaEvent) -> None:
    logging.info("kafka_one")
