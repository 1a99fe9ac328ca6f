"""An HTTP function of the v1 model that answers through an output binding."""

import azure.functions as func


def main(req: func.HttpRequest, res: func.Out[func.HttpResponse]) -> None:
    res.set(func.HttpResponse("I am a teapot", status_code=418))
