"""An async function."""

import logging

import azure.functions as func


async def main(req: func.HttpRequest) -> str:
    logging.info("later")
    return "later"
