"""What is known of results that a worker refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import azure.functions as func
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._invocation import PartialContext
from funcscope.telemetry._triggers.choice import extractor_for
from funcscope.telemetry._triggers.extractor import InvocationOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def outcome(
    returned: object,
    conversions: Mapping[str, str] | None,
    trigger: str = "httpTrigger",
    **args: object,
) -> InvocationOutcome:
    """Say what is said of a function's result."""
    bindings = (Binding("in", trigger, "in", {}), *_outputs(conversions or {}))
    function = Function("hello", "/app", False, "app.hello", bindings, conversions)
    context = PartialContext("0f8e", "hello", "/app", None)
    call = Invocation("0f8e", function, dict(args), context)
    return extractor_for(function, route_prefix="api", environ={}).outcome(call, returned)


def _outputs(conversions: Mapping[str, str]) -> Iterator[Binding]:
    for name, kind in conversions.items():
        yield Binding(name, kind, "out", {})


class Out(func.Out[Any]):
    """An output, as a worker makes it."""

    def __init__(self, value: object = None) -> None:
        self.value: Any = value

    def set(self, val: Any) -> None:
        self.value = val

    def get(self) -> Any:
        return self.value


@pytest.mark.parametrize("returned", [None, {"a": 1}, ["a"], b"a", 1, object()])
def test_what_is_no_response(returned: object) -> None:
    """What no worker takes as a response is an error, and the caller's status is 500."""
    said = outcome(returned, {"$return": "http"})

    assert said.error_type == "unsupported_return_value"
    assert said.attributes == {"http.response.status_code": 500}
    assert said.description is not None
    assert "return a str or an azure.functions.HttpResponse" in said.description


@pytest.mark.parametrize(
    ("returned", "code"), [("a", 200), ("", 200), (func.HttpResponse(status_code=404), 404)]
)
def test_responses(returned: object, code: int) -> None:
    """A response says its status code, as it does where no worker tells what it takes."""
    for conversions in ({"$return": "http"}, None):
        said = outcome(returned, conversions)
        assert said == InvocationOutcome({"http.response.status_code": code})


def test_where_no_worker_tells() -> None:
    """Where it is not known what a worker makes of results, none is an error."""
    assert outcome({"a": 1}, None).error_type is None
    assert outcome({"a": 1}, None, "queueTrigger").error_type is None


def test_a_function_that_may_return_nothing() -> None:
    """Without `$return` only None may be returned, from any trigger's function."""
    for trigger in ("timerTrigger", "queueTrigger", "httpTrigger"):
        assert outcome(None, {}, trigger).error_type is None
        said = outcome("a", {}, trigger)
        assert said.error_type == "unsupported_return_value"
        assert "no $return binding" in str(said.description)


def test_outputs() -> None:
    """What was put into an output is as much a result as what was returned."""
    kinds = {"$return": "http", "out": "serviceBus"}
    assert outcome("a", kinds, out=Out()).error_type is None
    assert outcome("a", kinds, out=Out("x")).error_type is None
    said = outcome("a", kinds, out=Out({"a": 1}))

    assert said.error_type == "unsupported_output_value"
    assert said.attributes == {"http.response.status_code": 500}
    assert "output out (serviceBus) was set to dict" in str(said.description)


def test_a_response_in_an_output() -> None:
    """An HTTP function of the v1 model may put its response into an output."""
    kinds = {"res": "http"}
    assert outcome(None, kinds, res=Out(func.HttpResponse(status_code=404))) == InvocationOutcome(
        {"http.response.status_code": 404}
    )
    assert outcome(None, kinds, res=Out(b"a")).error_type == "unsupported_output_value"


def test_results_are_left_as_they_are() -> None:
    """Nothing is taken from an iterator or a stream, and no cookie off a response."""
    items = iter(["a", "b"])
    outcome(items, {"$return": "queue"}, "queueTrigger")
    assert list(items) == ["a", "b"]

    class Reading:
        def read(self) -> bytes:
            raise AssertionError("it was read")

    assert outcome(Reading(), {"$return": "blob"}, "queueTrigger").error_type is None

    class Response(func.HttpResponse):
        pass

    response = Response("a", headers={"Set-Cookie": "a=b"})
    outcome(response, {"$return": "http"})
    assert response.headers["Set-Cookie"] == "a=b"


def test_an_object_that_raises_when_it_is_asked() -> None:
    """An object that answers no question is not known to be refused, and nothing is raised."""

    class Odd:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

        @property  # type: ignore[misc]
        def __class__(self) -> type:
            raise RuntimeError("no class")

    assert outcome(Odd(), {"$return": "blob"}, "queueTrigger").error_type is None
    assert outcome(None, {"out": "blob"}, "queueTrigger", out=Out(Odd())).error_type is None


class Number(int):
    """A number that compares as it likes."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = int.__hash__


def test_large_results_are_not_gone_through() -> None:
    """Of a large result the first items are looked at, and an int of any class costs nothing."""
    many: list[object] = ["a"] * 1_000_000
    many[-1] = object()

    class Counting(list[object]):
        asked = 0

        def __iter__(self) -> Iterator[object]:
            Counting.asked += 1
            return super().__iter__()

    assert outcome(many, {"$return": "queue"}, "queueTrigger").error_type is None
    assert outcome(many, {"$return": "table"}, "queueTrigger").error_type is None
    assert outcome(Counting(), {"$return": "table"}, "queueTrigger").error_type is None
    assert outcome(Number(7), {"$return": "table"}, "queueTrigger").error_type is None
    assert Counting.asked == 0


def test_an_endless_result() -> None:
    """A result that contains itself ends the look at it."""
    endless: list[object] = []
    endless.append(endless)
    assert outcome(endless, {"$return": "table"}, "queueTrigger").error_type is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_what_json_has_is_an_activitys_result(value: object) -> None:
    """An activity may return whatever JSON has, and what JSON has not is an error."""
    kinds = {"$return": "activityTrigger"}
    assert outcome(value, kinds, "activityTrigger").error_type is None
    said = outcome([value, object()], kinds, "activityTrigger")
    assert said.error_type == "unsupported_return_value"


class Order(pydantic.BaseModel):
    """A model, which gives pairs of names and values when it is iterated over."""

    number: int = 1


class Orders(pydantic.BaseModel):
    """One that gives what a worker takes."""

    items: list[str] = []

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return iter(self.items)


@pytest.mark.parametrize("kind", ["queue", "eventGrid", "cosmosDB", "sql"])
def test_a_model_of_pydantics(kind: str) -> None:
    """A model is refused where a list is taken, unless it says itself what it is iterated over."""
    refused = outcome(Order(), {"$return": kind}, "queueTrigger")

    assert refused.error_type == "unsupported_return_value"
    assert outcome(Orders(), {"$return": kind}, "queueTrigger").error_type is None
