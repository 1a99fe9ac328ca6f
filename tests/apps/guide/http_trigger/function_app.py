import funcscope.auto  # noqa: F401, I001


import json

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="greet/{thing}", methods=["POST"])
def greet(req: func.HttpRequest) -> func.HttpResponse:
    try:
        name = req.get_json()["name"]
    except (ValueError, KeyError):
        return func.HttpResponse("pass a name in the body", status_code=400)
    said = {
        "greeting": req.params.get("greeting"),
        "name": name,
        "thing": req.route_params["thing"],
        "agent": req.headers.get("user-agent"),
        "method": req.method,
    }
    return func.HttpResponse(
        json.dumps(said),
        status_code=201,
        headers={"x-made-by": "greet"},
        mimetype="application/json",
    )
