import azure.functions as func
from shared import greet

blueprint = func.Blueprint()


@blueprint.route(route="second")
def second(req: func.HttpRequest) -> str:
    return greet("second")
