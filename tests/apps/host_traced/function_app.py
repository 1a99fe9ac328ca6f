"""An app with funcscope, one line of log each; one function cannot have the host's trace."""

import logging

import azure.functions as func

import funcscope.auto  # noqa: F401 -- it acts when imported

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    logging.info("good morning")
    return "hello"


@app.route(route="bound", trigger_arg_name="context")
def bound(context: func.HttpRequest) -> str:
    logging.info("in the trace")
    return "hello"
