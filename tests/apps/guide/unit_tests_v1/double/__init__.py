import funcscope.auto  # noqa: F401, I001

import azure.functions as func


def main(req: func.HttpRequest) -> func.HttpResponse:
    value = req.params.get("value")
    if value is None:
        return func.HttpResponse("pass a value", status_code=400)
    return func.HttpResponse(f"{value} * 2 = {int(value) * 2}")
