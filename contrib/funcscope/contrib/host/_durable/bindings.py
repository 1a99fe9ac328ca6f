"""The client binding of Durable Functions, beside what storage's bindings read and write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib.host._durable.api import client_text
from funcscope.contrib.host._worker.protocol import function_rpc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from funcscope.contrib.host._worker.invocations import Bindings
    from funcscope.contrib.host._worker.protocol import TypedData
    from funcscope.contrib.host._worker.triggers import TriggerData
    from funcscope.contrib.host._worker.worker import LoadedFunction, Outcome

CLIENTS = ("durableclient", "orchestrationclient")
_TRIGGERS = ("orchestrationtrigger", "activitytrigger", "entitytrigger")


class DurableBindings:
    """
    Gives functions a client of the task hub.

    Args:
        others: What reads and writes all other bindings.
        base_url: Where the host is served.
    """

    def __init__(self, others: Bindings, base_url: str) -> None:
        self._others = others
        self._client = function_rpc().TypedData(string=client_text(base_url))

    async def read(self, function: LoadedFunction, data: TriggerData) -> Mapping[str, TypedData]:
        """Read the inputs: a client's is where the task hub is."""
        values = await self._others.read(function, data)
        clients = [str(b["name"]) for b in function.bindings if _kind(b) in CLIENTS]
        return {**values, **dict.fromkeys(clients, self._client)}

    async def write(self, function: LoadedFunction, data: TriggerData, outcome: Outcome) -> Outcome:
        """Write the outputs."""
        return await self._others.write(function, data, outcome)


def is_durable(functions: Iterable[LoadedFunction]) -> bool:
    """Tell whether an app has orchestrations, entities, or clients of them."""
    kinds = {_kind(binding) for function in functions for binding in function.bindings}
    return bool(kinds.intersection((*CLIENTS, *_TRIGGERS)))


def _kind(binding: Mapping[str, object]) -> str:
    return str(binding.get("type", "")).lower()
