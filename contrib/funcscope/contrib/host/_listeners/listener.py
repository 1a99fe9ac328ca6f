"""What a listener is, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._retries import Retrier
    from funcscope.contrib.host._storage.accounts import Storage
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._worker.invocations import Invoker
    from funcscope.contrib.host._worker.worker import LoadedFunction


class Listener(Protocol):
    """Something that starts functions by itself, such as the messages of a queue."""

    @property
    def name(self) -> str:
        """What it listens to, as messages name it: `queue 'orders' of function 'save'`."""
        ...

    async def run(self) -> None:
        """
        Start functions until this is cancelled.

        A cancellation means that the host stops: take nothing more, finish what is in flight, and
        let the cancellation through. What goes wrong outside is the listener's own to report and to
        try again; an error that leaves this method ends the listener.
        """
        ...


@dataclass(frozen=True, slots=True)
class RunningApp:
    """
    An app that has been loaded, as listeners see it.

    Attributes:
        invoker: What calls the functions.
        retrier: What calls those again that fail, if they have retry policies.
        console: Where to say what goes wrong.
        storage: The accounts that its bindings name.
        inputs: By a function's name, what makes the input of a call by hand of what was given.
        blob_events: By a function's name in lower case, what takes an event of a blob, for triggers
            whose source is Event Grid; KeyError or TypeError where it is none.
    """

    app: FunctionApp
    functions: Sequence[LoadedFunction]
    invoker: Invoker
    retrier: Retrier
    console: HostConsole
    storage: Storage
    inputs: dict[str, Callable[[object], object]] = field(
        default_factory=dict[str, "Callable[[object], object]"]
    )
    blob_events: dict[str, Callable[[Mapping[str, object]], Awaitable[None]]] = field(
        default_factory=dict[str, "Callable[[Mapping[str, object]], Awaitable[None]]"]
    )
