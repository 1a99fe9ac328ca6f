"""An object, with the names and annotations that the worker reads."""

import functools

import azure.functions as func


class Greeter:
    def __init__(self) -> None:
        functools.update_wrapper(self, self.greet)

    def greet(self, req: func.HttpRequest) -> str:
        return "object"

    def __call__(self, req: func.HttpRequest) -> str:
        return self.greet(req)


main = Greeter()
