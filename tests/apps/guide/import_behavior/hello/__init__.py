import funcscope.auto  # noqa: F401, I001

import azure.functions as func
from __app__.shared_code import helper as deprecated
from shared_code import helper as absolute

from . import example
from .example import PLACE


def main(req: func.HttpRequest) -> str:
    return f"{absolute.NAME}, {deprecated.NAME}, {example.PLACE}, {PLACE}"
