import funcscope.auto  # noqa: F401, I001


import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="items/{id}")
@app.blob_input(arg_name="obj", path="samples-workitems/{id}", connection="AzureWebJobsStorage")
def show(req: func.HttpRequest, obj: func.InputStream) -> str:
    text = obj.read().decode()
    logging.info("read %s", text)
    return f"{req.route_params['id']}: {text}"
