"""Everything that an app may hand to a worker."""

import funcscope.auto  # noqa: F401, I001

import functools
import logging
import os
from pathlib import Path

import azure.functions as func
import azurefunctions.extensions.bindings.blob as blob
from azurefunctions.extensions.base import GrpcClientType, InConverter
from funcscope.extensions import FuncExtension

app = func.FunctionApp()
blueprint = func.Blueprint()


def note(text: str) -> None:
    with Path(os.environ["HOOK_LOG"]).open("a") as file:
        file.write(text + "\n")


class Applied(FuncExtension):
    def post_function_load(self, function_name, function_directory, *args, **kwargs):
        note(f"load {function_name}")

    def around_invocation(self, invocation):
        note(f"around {invocation.function_name}")
        yield


def greeting(function):
    """Decorate as apps do, with a signature that says nothing."""

    @functools.wraps(function)
    def decorated(*args, **kwargs):
        return function(*args, **kwargs) + "!"

    return decorated


@blueprint.route("from_blueprint")
async def from_blueprint(req: func.HttpRequest) -> str:
    return "blueprint"


app.register_functions(blueprint)


@app.route("decorated")
@greeting
def decorated(req: func.HttpRequest) -> str:
    return "decorated"


@Applied()
@app.function_name("Above")
@app.route("above")
def above(req: func.HttpRequest) -> str:
    return "above"


@app.route("below")
@Applied()
@greeting
def below(req: func.HttpRequest) -> str:
    return "below"


class Settlement(GrpcClientType):
    """What azurefunctions-extensions-bindings-servicebus has for settling messages."""


class SettlementConverter(InConverter, binding="serviceBusClient"):
    @classmethod
    def check_input_type_annotation(cls, pytype):
        return True

    @classmethod
    def decode(cls, data, *, trigger_metadata):
        return data

    @classmethod
    def has_implicit_output(cls):
        return False

    @classmethod
    def get_client(cls):
        return Settlement()


@app.route("settles")
def settles(req: func.HttpRequest, client: Settlement) -> str:
    logging.info("settled with %s", type(client).__name__)
    return "x"


@app.blob_trigger("client", path="c/{name}", connection="STORAGE")
def sdk_type(client: blob.BlobClient) -> None:
    logging.info("got %s of %s", type(client).__name__, client.blob_name)
