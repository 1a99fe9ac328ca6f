"""A partial, with the names and annotations that the worker reads."""

import funcscope.auto  # noqa: F401, I001  (what this app is about)

import functools

import azure.functions as func


def _greet(greeting: str, req: func.HttpRequest) -> str:
    return greeting


def _greeter(req: func.HttpRequest) -> str:
    raise NotImplementedError


main = functools.update_wrapper(functools.partial(_greet, "partial"), _greeter)
