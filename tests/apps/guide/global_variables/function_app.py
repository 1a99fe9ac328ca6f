import funcscope.auto  # noqa: F401, I001


import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

CACHED_DATA = None
calls = 0


@app.route(route="count")
def count(req: func.HttpRequest) -> str:
    global CACHED_DATA, calls
    calls += 1
    if CACHED_DATA is None:
        CACHED_DATA = f"loaded by call {calls}"
    return f"call {calls}, {CACHED_DATA}"
