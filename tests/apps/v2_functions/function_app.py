"""Function-level extensions in the v2 model: Microsoft's by a path, ours by name."""

import os
from pathlib import Path

import azure.functions as func

from funcscope.extensions import FuncExtension, install

install()
app = func.FunctionApp()


def note(text: str) -> None:
    with Path(os.environ["HOOK_LOG"]).open("a") as file:
        file.write(text + "\n")


class Old(func.FuncExtensionBase):
    def __init__(self, file_path):
        super().__init__(file_path)

    def post_function_load(self, function_name, function_directory, *args, **kwargs):
        note(f"old load {function_name}")

    def pre_invocation(self, logger, context, func_args=None, *args, **kwargs):
        note(f"old pre {context.function_name} {logger.name}")

    def post_invocation(self, logger, context, func_args=None, func_ret=None, *args, **kwargs):
        note(f"old post {func_ret}")


class New(FuncExtension):
    def pre_invocation(self, logger, context, func_args=None, *args, **kwargs):
        note(f"new pre {context.function_name}")


# The first segment below the app's root names the function.
Old(str(Path(os.environ["AzureWebJobsScriptRoot"]) / "orders" / "x.py"))
New("ORDERS")
New("nowhere")


@app.route("Orders")
def Orders(req: func.HttpRequest) -> str:
    return "x"


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    return "x"
