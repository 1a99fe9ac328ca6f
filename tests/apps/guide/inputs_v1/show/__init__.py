import funcscope.auto  # noqa: F401, I001

import logging

import azure.functions as func


def main(req: func.HttpRequest, obj: func.InputStream) -> str:
    text = obj.read().decode()
    logging.info("read %s", text)
    return f"{req.route_params['id']}: {text}"
