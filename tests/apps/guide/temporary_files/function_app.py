import funcscope.auto  # noqa: F401, I001


import os
import tempfile

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="temporary")
def temporary(req: func.HttpRequest) -> str:
    path = tempfile.gettempdir()
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"Hello world!")
        file.flush()
        listed = os.path.basename(file.name) in os.listdir(path)  # noqa: PTH119, PTH208
    return f"listed: {listed}, gone: {not os.path.exists(file.name)}"  # noqa: PTH110
