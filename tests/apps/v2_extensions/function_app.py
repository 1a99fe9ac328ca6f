"""An app with extensions written to Microsoft's interface, long before funcscope."""

import os
from pathlib import Path

import azure.functions as func

from funcscope.extensions import install

install()


def note(text: str) -> None:
    """Append a line to the file that the test reads."""
    with Path(os.environ["HOOK_LOG"]).open("a") as file:
        file.write(text + "\n")


class Counting(func.AppExtensionBase):
    @classmethod
    def post_function_load_app_level(cls, function_name, function_directory, *args, **kwargs):
        note(f"load {function_name}")

    @classmethod
    def pre_invocation_app_level(cls, logger, context, func_args=None, *args, **kwargs):
        note(f"pre {context.function_name} {context.invocation_id} {sorted(func_args)}")

    @classmethod
    def post_invocation_app_level(
        cls, logger, context, func_args=None, func_ret=None, *args, **kwargs
    ):
        note(f"post {context.function_name} {context.invocation_id} {func_ret}")


class Broken(func.AppExtensionBase):
    @classmethod
    def pre_invocation_app_level(cls, *args, **kwargs):
        raise LookupError("broken")


app = func.FunctionApp()


@app.route("one")
def one(req: func.HttpRequest) -> str:
    return "1"


@app.route("two")
async def two(req: func.HttpRequest, context: func.Context) -> str:
    return "2"


@app.route("fails")
async def fails(req: func.HttpRequest) -> str:
    raise ValueError("mine")
