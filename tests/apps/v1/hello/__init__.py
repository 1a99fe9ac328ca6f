"""The function whose import turns telemetry on."""

import funcscope.auto  # noqa: F401, I001  (what this app is about)

import logging

import azure.functions as func


def main(req: func.HttpRequest) -> str:
    logging.info("asked for %s", req.url)
    return "hello"
