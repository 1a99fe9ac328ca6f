import funcscope.auto  # noqa: F401, I001

import logging

import azure.functions as func


def main(req: func.HttpRequest) -> str:
    user = req.params.get("user", "nobody")
    logging.info("greeting %s", user)
    return f"Hello, {user}!"
