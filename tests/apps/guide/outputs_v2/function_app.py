import funcscope.auto  # noqa: F401, I001


import typing

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

STORAGE = "AzureWebJobsStorage"


@app.route(route="send")
@app.queue_output(arg_name="several", queue_name="several", connection=STORAGE)
@app.queue_output(arg_name="one", queue_name="one", connection=STORAGE)
@app.blob_output(arg_name="file", path="made/{rand-guid}.txt", connection=STORAGE)
def send(
    req: func.HttpRequest,
    several: func.Out[typing.List[str]],  # noqa: UP006  (workers know no other)
    one: func.Out[str],
    file: func.Out[str],
) -> func.HttpResponse:
    text = req.params["text"]
    several.set([f"{text} 1", f"{text} 2"])
    one.set(text)
    file.set(text.upper())
    return func.HttpResponse("sent", status_code=202)
