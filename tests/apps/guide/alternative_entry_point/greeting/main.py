import funcscope.auto  # noqa: F401, I001

import azure.functions as func


def customentry(req: func.HttpRequest) -> str:
    return "by customentry"


def main(req: func.HttpRequest) -> str:
    return "by main"
