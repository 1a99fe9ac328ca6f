import funcscope.auto  # noqa: F401, I001


import azure.functions as func
from additional_functions import blueprint
from shared import greet

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

app.register_functions(blueprint)


@app.route(route="first")
def first(req: func.HttpRequest) -> str:
    return greet("first")
