"""A v2 app of somebody who checks types strictly, with all that funcscope offers."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import ClassVar, TypeVar, overload

import azure.functions as func
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import Span
from typing_extensions import assert_type

import funcscope.auto  # noqa: F401  (what this app is about)
from funcscope.extensions import (
    AppExtension,
    Binding,
    Context,
    ExtensionError,
    FuncExtension,
    Function,
    Invocation,
    Reject,
    Status,
    Step,
    current_invocation,
    install,
    no_propagation,
    propagate,
    status,
)
from funcscope.telemetry import (
    TelemetryError,
    Timing,
    bind,
    child_environment,
    configure,
    continue_invocation,
    each_message,
    timed,
)

T = TypeVar("T")

try:
    configure(
        span_kind="standalone",
        max_links=32,
        redact=["session"],
        record_metrics="on",
        log_levels={"azure": "WARNING"},
        span_processors=[SpanProcessor()],
    )
except TelemetryError as error:
    logging.error("%s", error)
install()
propagate()
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


class Audit(AppExtension):
    """Remember what was given."""

    results: ClassVar[list[object]] = []

    @classmethod
    def around_invocation(cls, invocation: Invocation) -> Step:
        result = yield
        assert_type(result, object)
        cls.results.append(result)


class Limited(FuncExtension):
    """Answer a function's callers that ask for too much."""

    def __init__(self, function: str | None = None, *, limit: int = 3) -> None:
        super().__init__(function)
        self.limit = limit

    def around_invocation(self, invocation: Invocation) -> Step:
        request = invocation.trigger
        if isinstance(request, func.HttpRequest) and len(request.params) > self.limit:
            raise Reject(func.HttpResponse(status_code=413))
        invocation.state[self] = self.limit
        invocation.finish_with(lambda: logging.info("%s is done", invocation.function_name))
        yield


assert_type(Timing("hello"), Timing)
assert_type(Timing(), Timing)
assert_type(Limited("hello", limit=5).limit, int)


@timed("identity")
def identity(value: T, *, times: int = 1) -> list[T]:
    return [value] * times


@timed("later")
async def later(value: T) -> T:
    return value


@timed("steps")
def steps(count: int) -> Iterator[int]:
    yield from range(count)


@timed("asteps")
async def asteps(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


@overload
def either(value: int) -> int: ...
@overload
def either(value: str) -> str: ...
@timed("either")
def either(value: int | str) -> int | str:
    return value


class Orders:
    @timed("place")
    def place(self, number: int) -> str:
        return str(number)

    @staticmethod
    @timed("cancel")
    def cancel(number: int) -> None: ...

    @property
    @timed("count")
    def count(self) -> int:
        return 1


@Timing()
@Limited(limit=1)
def plain(number: int) -> str:
    return str(number)


@app.route("hello")
@Timing()
@timed("hello")
def hello(req: func.HttpRequest) -> str:
    bind(order_id=17)
    with timed("stage") as span:
        assert_type(span, Span)
    with continue_invocation(child_environment()), no_propagation():
        return identity("tea")[0]


@Timing()
@app.route("ahello")
async def ahello(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return func.HttpResponse(str(await later(17)))


async def use(batch: Sequence[func.ServiceBusMessage]) -> None:
    assert_type(identity("a", times=2), list[str])
    assert_type(await later(3), int)
    assert_type(steps(3), Iterator[int])
    assert_type(asteps(3), AsyncIterator[int])
    assert_type(either(1), int)
    assert_type(either(""), str)
    assert_type(Orders().place(1), str)
    assert_type(Orders().count, int)
    Orders.cancel(3)
    assert_type(plain(1), str)
    for message in each_message(batch):
        assert_type(message, func.ServiceBusMessage)
    invocation = current_invocation()
    if invocation is not None:
        assert_type(invocation.id, str)
        assert_type(invocation.args, dict[str, object])
        assert_type(invocation.function, Function)
        assert_type(invocation.context, Context)
        assert_type(invocation.function.trigger, Binding | None)
    assert_type(status(), Status)


def registered(make: Callable[[], FuncExtension]) -> FuncExtension | None:
    try:
        return make()
    except ExtensionError:
        return None
