import funcscope.auto  # noqa: F401, I001

import azure.functions as func

from .framework import fast_app


async def main(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return await func.AsgiMiddleware(fast_app).handle_async(req, context)
