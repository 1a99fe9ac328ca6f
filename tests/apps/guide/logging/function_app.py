import funcscope.auto  # noqa: F401, I001


import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="levels")
def levels(req: func.HttpRequest) -> str:
    logging.critical("a critical message")
    logging.error("an error")
    logging.warning("a warning")
    logging.info("an information")
    logging.debug("a debug message")
    return "logged"
