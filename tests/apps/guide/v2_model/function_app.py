import funcscope.auto  # noqa: F401, I001


import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.function_name(name="HttpTrigger1")
@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    user = req.params.get("user", "nobody")
    logging.info("greeting %s", user)
    return f"Hello, {user}!"
