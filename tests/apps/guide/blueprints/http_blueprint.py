import logging

import azure.functions as func

bp = func.Blueprint()


@bp.route(route="default_template")
def default_template(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("in the blueprint")
    return func.HttpResponse(f"Hello, {req.params.get('name', 'nobody')}.")
