import asyncio
import logging

import requests


async def main(req, context):
    with context.tracer.span("parent"):
        logging.info("asking")
        await asyncio.to_thread(requests.get, url="http://example.com")
    return "later"
