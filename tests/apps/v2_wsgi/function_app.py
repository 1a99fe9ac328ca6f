"""A WSGI app behind one function."""

import funcscope.auto  # noqa: F401, I001

import logging

import azure.functions as func


def hello(environ, start_response):
    logging.info("in the framework")
    start_response("202 Accepted", [("content-type", "text/plain")])
    return [b"hello"]


app = func.WsgiFunctionApp(app=hello, http_auth_level=func.AuthLevel.ANONYMOUS)
