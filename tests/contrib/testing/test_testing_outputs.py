"""What a function gives is converted as its worker converts it, so that it fails here, too."""

from __future__ import annotations

import importlib.util
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, Mock

import azure.functions as func
import pytest
from tests.patience import PATIENCE_S

from funcscope.contrib.testing import Funcscope, TestingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

on_each_worker = pytest.mark.parametrize("worker", ["classic", "library"])

APP = """
import dataclasses
import azure.functions as func

@dataclasses.dataclass
class Bill:
    number: int

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

def returns(name, value):
    def function(req: func.HttpRequest):
        return value
    function.__name__ = name
    app.route(name)(function)

returns("as_response", func.HttpResponse("x", headers={"a": "b"}))
returns("as_text", "x")
returns("as_dict", {"a": 1})
returns("as_list", [1])
returns("as_bytes", b"raw")
returns("as_number", 17)
returns("as_none", None)
returns("as_object", Bill(1))
returns("as_status", func.HttpResponse("x", status_code=299))

@app.generic_trigger("req", type="cartTrigger")
@app.generic_output_binding("cart", type="cart")
def to_cart(req: str, cart: func.Out[str]) -> None:
    cart.set(GIVEN)

@app.queue_trigger("msg", queue_name="q", connection="C")
@app.queue_output("bill", queue_name="b", connection="C")
def to_queue(msg: func.QueueMessage, bill: func.Out[VALUE]) -> None:
    bill.set(GIVEN)
"""
BY_VALUE = {
    "as_response": None,
    "as_text": None,
    "as_dict": "dict",
    "as_list": "list",
    "as_bytes": "bytes",
    "as_number": "int",
    "as_none": "NoneType",
    "as_object": "Bill",
    "as_status": None,
}


def write(directory: Path, script: str) -> str:
    """Write a v2 app."""
    (directory / "function_app.py").write_text(textwrap.dedent(script), encoding="utf-8")
    return str(directory)


def with_output(annotation: str, given: str) -> str:
    """Return the app's script with a queue output of a type, and the value that it is given."""
    return APP.replace("VALUE", annotation).replace("GIVEN", given)


@on_each_worker
@pytest.mark.parametrize("name", BY_VALUE)
def test_response(tmp_path: Path, funcscope: Funcscope, worker: Any, name: str) -> None:
    """A result that is no response fails an HTTP function, with the worker's error."""
    funcscope.use_app(write(tmp_path, with_output("str", "''")))

    result = funcscope.invoke(name, worker=worker, check=False)

    kind = BY_VALUE[name]
    if kind is None:
        assert result.error is None
    else:
        expected = (
            f'unable to encode outgoing TypedData: unsupported type "http" for Python type "{kind}"'
        )
        assert isinstance(result.error, TypeError)
        assert str(result.error) == expected


@on_each_worker
@pytest.mark.parametrize(
    ("annotation", "given", "is_taken"),
    [
        ("str", "'17'", True),
        ("str", "17", True),
        ("str", "{'a': 1}", True),
        ("str", "Bill(1)", False),
        ("str", "{1, 2}", False),
        ("bytes", "b'17'", True),
        ("func.QueueMessage", "func.QueueMessage(body=b'17')", True),
        ("func.QueueMessage", "Bill(1)", False),
    ],
)
def test_output_binding(
    tmp_path: Path, funcscope: Funcscope, worker: Any, annotation: str, given: str, is_taken: bool
) -> None:
    """What an output binding is set to fails the function where its converter does not take it."""
    funcscope.use_app(write(tmp_path, with_output(annotation, given)))

    result = funcscope.invoke("to_queue", "m", worker=worker, check=False)

    assert isinstance(result.error, TypeError) is not is_taken
    assert ("bill" in result.outputs) is is_taken


@on_each_worker
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("{'a': 1}", None),
        ("1.5", None),
        ("{'a': {1}}", TypeError),
        ("2 ** 64", ValueError),
        ("Bill(1)", TypeError),
    ],
)
def test_generic_output(
    tmp_path: Path, funcscope: Funcscope, worker: Any, given: str, error: type[Exception] | None
) -> None:
    """A value without a place in the protocol fails a function of a generic binding."""
    funcscope.use_app(write(tmp_path, with_output("str", given)))

    result = funcscope.invoke("to_cart", "m", worker=worker, check=False)

    assert type(result.error) is (error or type(None))


@on_each_worker
@pytest.mark.parametrize(
    ("annotation", "says"),
    [("int", "[Pp]ython.* annotation"), ("func.Out[str]", "azure.functions.Out")],
)
def test_annotation_that_does_not_fit(
    tmp_path: Path, funcscope: Funcscope, worker: Any, annotation: str, says: str
) -> None:
    """A function whose annotation does not fit its binding is not called: no worker loads it."""
    app = f"""
    import azure.functions as func

    app = func.FunctionApp()

    @app.queue_trigger("msg", queue_name="q", connection="C")
    def take(msg: {annotation}) -> None: ...
    """
    funcscope.use_app(write(tmp_path, app))

    with pytest.raises(TestingError, match=says):
        funcscope.invoke("take", "m", worker=worker)


@on_each_worker
def test_function_of_the_test_is_not_guessed_at(funcscope: Funcscope, worker: Any) -> None:
    """What a plain function returns may be anything: nobody has said where it goes."""

    @dataclass
    class Bill:
        number: int

    def pay(msg: func.QueueMessage):  # type: ignore[no-untyped-def]
        return Bill(17)

    assert funcscope.invoke(pay, "m", worker=worker).value == Bill(17)


@on_each_worker
def test_output_of_the_tests_own(tmp_path: Path, funcscope: Funcscope, worker: Any) -> None:
    """An object that a test gives for an output binding takes whatever it is set to."""
    funcscope.use_app(write(tmp_path, with_output("str", "Bill(1)")))
    bill = Mock()

    funcscope.invoke("to_queue", "m", bill=bill, worker=worker)

    bill.set.assert_called_once()


def built(number: int) -> Any:
    """Make a function as a decorator makes it, which nobody else keeps."""
    app = func.FunctionApp()

    @app.route(f"f{number}")
    def f(req: func.HttpRequest) -> str:
        return str(number)

    return f


def plain(number: int) -> Callable[[func.HttpRequest], str]:
    """Make a function that nobody else keeps."""

    def f(req: func.HttpRequest) -> str:
        return str(number)

    return f


@pytest.mark.parametrize("make", [built, plain])
def test_each_function_is_itself(funcscope: Funcscope, make: Callable[[int], object]) -> None:
    """A function that a test has dropped is not taken for one that it makes later."""
    values = [funcscope.invoke(make(number), func.HttpRequest("GET", "/", body=b"")).value
              for number in range(50)]  # fmt: skip

    assert values == [str(number) for number in range(50)]


ASKED = """
import azure.functions as func

app = func.FunctionApp()

@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""


@pytest.mark.parametrize("asks", ["before", "between", "within"])
def test_app_is_asked_for_its_functions(pytester: pytest.Pytester, asks: str) -> None:
    """A test may ask the app for its functions itself: before the plugin does, or after."""
    within = (
        "\nNAMES = [f.get_function_name() for f in app.get_functions()]" if asks == "within" else ""
    )
    names = "[f.get_function_name() for f in function_app.app.get_functions()]"
    kept = "function_app.NAMES" if asks == "within" else "NAMES"
    pytester.makepyfile(
        function_app=ASKED + within,
        test_it=f"""
        import function_app
        {f"NAMES = {names}" if asks == "before" else ""}

        def test_call(invoke):
            assert invoke("hello").value == "hello"

        def test_names():
            names = {names if asks == "between" else kept}
            assert names == ["hello"]

        def test_call_again(invoke):
            assert invoke("hello").value == "hello"
        """,
    )

    result = pytester.runpytest_subprocess("-p", "funcscope.contrib.testing", timeout=PATIENCE_S)

    result.assert_outcomes(passed=3)


DURABLE = """
import azure.functions as func
import azure.durable_functions as df

app = df.DFApp()

@app.route("start")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client) -> func.HttpResponse:
    return func.HttpResponse(await client.start_new("flow"))
"""


@on_each_worker
@pytest.mark.skipif(
    importlib.util.find_spec("azure.durable_functions") is None,
    reason="needs azure-functions-durable, which the extra `durable` brings",
)
def test_durable_client_of_the_tests_own(tmp_path: Path, funcscope: Funcscope, worker: Any) -> None:
    """A client that a test gives reaches the function as it is, each time."""
    funcscope.use_app(write(tmp_path, DURABLE))

    for number in ("1", "2"):
        client = AsyncMock()
        client.start_new.return_value = number
        result = funcscope.invoke("start", client=client, worker=worker)
        assert result.response.get_body() == number.encode()
