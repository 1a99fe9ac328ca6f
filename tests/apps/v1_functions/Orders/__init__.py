"""Function-level extensions in the v1 model, by `__file__`."""

import os
from pathlib import Path

import azure.functions as func

from funcscope.extensions import FuncExtension, install

install()


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


Old(__file__)
New(__file__)
New("nowhere")


def main(req: func.HttpRequest) -> str:
    return "x"
