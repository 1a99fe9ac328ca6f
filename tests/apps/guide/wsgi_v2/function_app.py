import funcscope.auto  # noqa: F401, I001


import azure.functions as func
from framework import flask_app

app = func.WsgiFunctionApp(app=flask_app.wsgi_app, http_auth_level=func.AuthLevel.ANONYMOUS)
