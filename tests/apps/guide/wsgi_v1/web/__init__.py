import funcscope.auto  # noqa: F401, I001

import azure.functions as func

from .framework import flask_app


def main(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return func.WsgiMiddleware(flask_app.wsgi_app).handle(req, context)
