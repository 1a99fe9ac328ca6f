"""An HTTP function of the v1 model."""

import azure.functions as func

from ..shared.words import GREETING  # noqa: TID252 -- how v1 apps share code


def main(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"{GREETING}, {req.route_params['name']}")
