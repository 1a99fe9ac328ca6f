import funcscope.auto  # noqa: F401, I001

import azure.functions as func

from . import example


def main(req: func.HttpRequest) -> str:
    return f"first, {example.NAME}"
