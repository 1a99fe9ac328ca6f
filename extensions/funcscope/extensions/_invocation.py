"""One call of one function, as extensions see it."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

from funcscope.extensions._errors import log_quietly
from funcscope.extensions._forks import reset_after_fork
from funcscope.extensions._runtime import Latch

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Mapping
    from contextvars import Context as ContextVariables

    IdVariable = ContextVar[str | None]
    Entered = tuple[Token["Invocation | None"], IdVariable | None, Token[str | None] | None]

METADATA = "_funcscope_trigger_metadata"
"""The attribute of a worker's context for its trigger's metadata, which reaches no function."""

_logger = logging.getLogger("funcscope.extensions")


class TraceContext(Protocol):
    """
    The host's W3C trace context, as `azure.functions.Context.trace_context` gives it.

    Read from `bindings/tracecontext.py` of azure-functions-runtime 1.3.0.
    """

    @property
    def trace_parent(self) -> str:
        """The `traceparent` value; empty where the host sent none."""
        ...

    @property
    def trace_state(self) -> str:
        """The `tracestate` value; empty where the host sent none."""
        ...

    @property
    def attributes(self) -> Mapping[str, str]:
        """Tags of the host's activity; may be empty."""
        ...


class RetryContext(Protocol):
    """Which attempt this is, as `azure.functions.Context.retry_context` gives it."""

    @property
    def retry_count(self) -> int:
        """0 for the first attempt."""
        ...


class Context(Protocol):
    """
    The worker's context of a call: `azure.functions.Context`, as far as it is read here.

    `trace_context` and `retry_context` are None where the worker's own object could not be
    had: a *binding* named `context` (always there in Durable Functions) takes the place of the
    worker's argument of that name, and `_workers/contexts.py` has no other way to it.
    """

    @property
    def invocation_id(self) -> str:
        """The host's invocation id, a GUID string."""
        ...

    @property
    def function_name(self) -> str:
        """The function's name as the host knows it."""
        ...

    @property
    def function_directory(self) -> str:
        """The folder of the function's code."""
        ...

    @property
    def thread_local_storage(self) -> threading.local | None:
        """The worker's place for the invocation id of the running thread."""
        ...

    @property
    def trace_context(self) -> TraceContext | None:
        """The host's trace context; None where it cannot be known."""
        ...

    @property
    def retry_context(self) -> RetryContext | None:
        """The host's retry state; None where it cannot be known."""
        ...


@dataclass(eq=False)
class PartialContext:
    """
    The known parts of a call's context, where the worker's own could not be had.

    Extensions set attributes of their own on a context, so it lets them, as the worker's does.
    """

    invocation_id: str
    function_name: str
    function_directory: str
    thread_local_storage: threading.local | None
    trace_context: TraceContext | None = None
    retry_context: RetryContext | None = None


def trigger_metadata(context: Context, name: str) -> str | None:
    """Return a text of the trigger's metadata; None where there is none or it was not stored."""
    metadata = cast("Mapping[str, Any] | None", getattr(context, METADATA, None))
    datum = metadata.get(name) if metadata else None
    # A worker's `Datum`, or protobuf's `TypedData`.
    value = getattr(datum, "value", None) or getattr(datum, "string", None)
    value = value or getattr(datum, "json", None)
    return value.strip('"') or None if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Binding:
    """
    One binding of a function.

    Attributes:
        name: The parameter it is bound to; `$return` for the return value.
        type: The binding type as in function.json, such as `httpTrigger`.
        direction: `in`, `out` or `inout`.
        settings: What else its decorator or function.json says, with function.json's keys,
            such as `route` or `queueName`; values may name app settings (`%NAME%`).
    """

    name: str
    type: str
    direction: str
    settings: Mapping[str, object]

    @property
    def is_trigger(self) -> bool:
        """Whether this binding is what starts the function."""
        return self.type.lower().endswith("trigger")


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """
    A function as the worker registered it, which does not change between its calls.

    Attributes:
        name: Its name as the host knows it.
        directory: The folder of its code.
        is_async: Whether it is a coroutine function.
        qualified_name: `module.qualname` of the Python function.
        bindings: All its bindings, in the order the app declares them.
        trigger: The binding that starts it; None where there is none.
        conversions: By which binding type its worker converts each of its outputs, and `$return`
            where it may return something; None where the worker does not say so.
    """

    name: str
    directory: str
    is_async: bool
    qualified_name: str
    bindings: tuple[Binding, ...] = ()
    trigger: Binding | None = field(init=False)
    conversions: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Find the trigger once."""
        trigger = next((b for b in self.bindings if b.is_trigger), None)
        object.__setattr__(self, "trigger", trigger)


class Invocation:
    """
    One call of one function. Its attributes are the lifecycle's to assign.

    Attributes:
        id: The host's invocation id, a GUID string; empty where it cannot be known.
        function: The function that is called.
        args: The arguments it gets, by parameter name, triggers included. What a pre hook
            changes here reaches the function. Empty once the invocation has ended.
        context: The worker's context, whether or not the function asked for it.
        is_cold_start: Whether this is the first invocation in this process.
        is_rejected: Whether an extension answered in the function's place.
        state: Yours: what an extension keeps for the length of the call, under a key of
            its own.
        finishes: The calls that `finish_with` was given; None where there are none.
        outer_context: The context variables before any extension ran; None where one extension
            alone runs around the function.
        is_kept: Internal: whether an item that waits to be sent refers to it. Its `context` is a
            copy then, once it has ended: the worker's own keeps the host's whole message.
    """

    # Not a frozen dataclass: making one of those takes longer than all else of ours (006). Without
    # slots, as Python 3.13 makes such an object at half the cost (022).

    outer_context: ContextVariables | None = None

    def __init__(
        self,
        id: str,  # noqa: A002  (the host's own name for it)
        function: Function,
        args: dict[str, object],
        context: Context,
        is_cold_start: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        self.id: Final = id
        self.function: Final = function
        self.args = args
        self.context = context
        self.is_cold_start: Final = is_cold_start
        self.is_rejected = False
        self.is_kept = False
        self.finishes: list[Callable[[], object]] | None = None
        self.state: Final[dict[object, object]] = {}

    def __repr__(self) -> str:
        return f"<Invocation {self.id} of {self.function.name}>"

    def finish_with(self, call: Callable[[], object]) -> None:
        """
        Add a call to make when the function and all extensions are done.

        The worker gets the function's result after that; for an async function another thread
        calls it, so that the event loop goes on meanwhile. Its exceptions are reported like an
        extension's faults.
        """
        if self.finishes is None:
            self.finishes = []
        self.finishes.append(call)

    @property
    def function_name(self) -> str:
        """The function's name as the host knows it."""
        return self.function.name

    @property
    def trigger(self) -> object | None:
        """The argument that the trigger gave, such as an `azure.functions.HttpRequest`."""
        binding = self.function.trigger
        return None if binding is None else self.args.get(binding.name)

    @property
    def trace_context(self) -> TraceContext | None:
        """The host's trace context; None where it cannot be known."""
        return getattr(self.context, "trace_context", None)  # a runtime of one's own may have none

    @property
    def retry_count(self) -> int:
        """How many times the host has retried this call; 0 where it cannot be known."""
        retry: RetryContext | None = getattr(self.context, "retry_context", None)
        return 0 if retry is None else retry.retry_count


cold_start = Latch()
"""Closed by the first invocation of the process."""


_current: ContextVar[Invocation | None] = ContextVar("funcscope_invocation", default=None)
look_up_invocation: Callable[[], Invocation | None] = _current.get
"""`current_invocation` without its call, for the path of each log record."""


def current_invocation() -> Invocation | None:
    """Return the invocation that this code runs in, None outside any."""
    return _current.get()


_live: dict[str, Invocation] = {}
runs: Callable[[object], bool] = _live.__contains__
"""Whether an invocation with an id runs."""
_when_idle: list[Callable[[], object]] = []


def in_flight() -> tuple[Invocation, ...]:
    """Return the invocations that run in this process, and the one that this code belongs to."""
    current = _current.get()
    return (*_live.values(), *(() if current is None else (current,)))


_inherited = [0]
"""How many invocations ran in this process's parent when it was forked: most never end here."""


def _count_inherited() -> None:
    _inherited[0] = len(_live)


reset_after_fork(_count_inherited)


def when_idle(call: Callable[[], object]) -> None:
    """Make a call, which must be quick, whenever the last invocation in flight has ended."""
    _when_idle.append(call)


def enter(invocation: Invocation, id_variable: IdVariable | None = None) -> Entered:
    """
    Make an invocation the current one.

    Args:
        invocation: The invocation.
        id_variable: The variable that a worker's log stream reads, if it is to be set.

    Returns:
        A token for `leave`.
    """
    _live[invocation.id] = invocation
    id_token = None
    if id_variable is not None and invocation.id:
        id_token = id_variable.set(invocation.id)
    return _current.set(invocation), id_variable, id_token


def leave(entered: Entered, invocation: Invocation) -> None:
    """
    End an invocation, and make the one before `enter` current again.

    Threads that outlive an invocation keep it and its id; its arguments, which can be large, are
    let go.
    """
    try:
        if _live.get(invocation.id) is invocation:
            del _live[invocation.id]
        invocation.args = {}
        if len(_live) <= _inherited[0]:
            for call in _when_idle:
                try:
                    call()
                except Exception as error:  # noqa: BLE001  (the function has its outcome)
                    message = "%r failed when no invocation was left"
                    log_quietly(_logger, logging.ERROR, message, call, error=error)
        if invocation.is_kept:
            invocation.context = _without_message(invocation)
    except Exception as error:  # noqa: BLE001  (the function has its outcome)
        log_quietly(_logger, logging.ERROR, "%r did not end well", invocation, error=error)
    finally:
        token, id_variable, id_token = entered
        # A coroutine that is closed instead of finished can be closed from another context
        # (CPython's gc, a loop that stops): there is nothing to restore there.
        try:
            _current.reset(token)
            if id_token is not None and id_variable is not None:
                id_variable.reset(id_token)
        except ValueError:
            pass


class _TraceContext(NamedTuple):
    """A host's trace context, without the message that it came in."""

    trace_parent: str
    trace_state: str
    attributes: Mapping[str, str]


def _without_message(invocation: Invocation) -> PartialContext:
    """Copy a context without the host's message, of which the attributes are a part."""
    context = invocation.context
    sent = getattr(context, "trace_context", None)  # a runtime of somebody's may have less
    return PartialContext(
        invocation_id=invocation.id,
        function_name=invocation.function.name,
        function_directory=invocation.function.directory,
        thread_local_storage=getattr(context, "thread_local_storage", None),
        trace_context=None
        if sent is None
        else _TraceContext(getattr(sent, "trace_parent", ""), getattr(sent, "trace_state", ""), {}),
    )


@contextmanager
def entered(invocation: Invocation) -> Generator[Invocation]:
    """Make an invocation the current one for a block, after which it has ended."""
    token = enter(invocation)
    try:
        yield invocation
    finally:
        leave(token, invocation)


_when_adopted: list[Callable[[Invocation | None], object]] = []


def when_adopted(call: Callable[[Invocation | None], object]) -> None:
    """Make a call, which must be quick, whenever code names the invocation that it is in."""
    if call not in _when_adopted:
        _when_adopted.append(call)


def adopt(invocation_id: str | None) -> None:
    """
    Make the running invocation of an id the current one here, none where no such runs.

    All that belongs to an invocation changes with it: never has code one's id beside another's.
    """
    current = _current.get()
    if current is not None and current.id == invocation_id:
        return
    adopted = _live.get(invocation_id) if invocation_id else None
    if adopted is current:
        return
    _current.set(adopted)
    for call in _when_adopted:
        with suppress(Exception):  # the code that sets a thread-local goes on
            call(adopted)
