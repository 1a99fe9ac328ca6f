"""A shop in FastAPI, served by one function."""

import funcscope.auto

import azure.functions as func

from shop import web

app = func.AsgiFunctionApp(app=web, http_auth_level=func.AuthLevel.ANONYMOUS)
