"""The client binding of Durable Functions, beside what storage's bindings read and write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib._local.errors import raised_as
from funcscope.contrib.host._durable.api import client_text
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._worker.protocol import function_rpc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from funcscope.contrib._local.host_json import HostJson
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


def replaces_running(host_json: HostJson) -> bool:
    """
    Tell whether an instance that runs gives way to a new one with its id.

    Source: azure-functions-durable-extension, `OverridableStates.cs`; by default it does not.

    Raises:
        HostError: `host.json` is wrong there.
    """
    with raised_as(HostError):
        states = host_json.text(
            "extensions", "durableTask", "overridableExistingInstanceStates", default=""
        )
    return states.lower() == "anystate"


def _kind(binding: Mapping[str, object]) -> str:
    return str(binding.get("type", "")).lower()
