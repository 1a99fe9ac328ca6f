import funcscope.auto  # noqa: F401, I001

import azure.functions as func


def main(req: func.HttpRequest, msg: func.Out[func.QueueMessage]) -> str:
    msg.set(req.params["text"])
    return "sent"
