"""Loaded before any other, and knows nothing of funcscope."""

import azure.functions as func


def main(req: func.HttpRequest) -> str:
    return "early"
