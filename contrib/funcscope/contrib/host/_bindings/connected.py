"""The inputs and outputs of functions, read before a call and written after it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from funcscope.contrib.host._bindings.facts import facts_of
from funcscope.contrib.host._bindings.outputs import content_of, messages_of
from funcscope.contrib.host._bindings.patterns import BlobPattern, resolve, resolve_settings
from funcscope.contrib.host._bindings.payloads import (
    blob_data,
    content_data,
    is_deferred,
    reference_data,
)
from funcscope.contrib.host._storage.blobs import BlobStore, split_path
from funcscope.contrib.host._storage.errors import StorageError
from funcscope.contrib.host._worker.triggers import trigger_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from funcscope.contrib._local.app import BindingDict
    from funcscope.contrib.host._storage.accounts import Storage
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._worker.protocol import TypedData
    from funcscope.contrib.host._worker.triggers import TriggerData
    from funcscope.contrib.host._worker.worker import LoadedFunction, Outcome


class StorageBindings:
    """
    Connects the bindings of functions to storage; what has none is said.

    Args:
        storage: The app's accounts.
        console: Where outputs are shown.
    """

    def __init__(self, storage: Storage, console: HostConsole) -> None:
        self._storage = storage
        self._console = console

    async def admin_data(self, value: object, function: LoadedFunction) -> TriggerData:
        """
        Make the payload of a trigger of an admin request's input.

        For a blob trigger that is connected, the input is the path of a blob, as in Core Tools.

        Raises:
            StorageError: There is no such blob.
        """
        trigger = function.trigger
        if _type(trigger) != "blobtrigger" or self._why_unconnected(trigger):
            return trigger_data(value, trigger)
        return await self._blob_at(str(value), trigger)

    async def _blob_at(self, path: str, trigger: BindingDict) -> TriggerData:
        container, name = split_path(path)
        store = BlobStore(self._storage.account_of(trigger))
        blob = await store.read(container, name, has_content=not is_deferred(trigger))
        if blob is None:
            raise StorageError(f"there is no blob {path!r}: the input is the path of one")
        pattern = resolve_settings(str(trigger.get("path") or ""), self._storage.settings)
        return blob_data(blob, trigger, BlobPattern(pattern).match(name) or {})

    async def read(self, function: LoadedFunction, data: TriggerData) -> dict[str, TypedData]:
        """
        Read a function's inputs beside its trigger; what is not connected is left out.

        Raises:
            StorageError: One cannot be read; the message names it.
        """
        facts = facts_of(function, data)
        values: dict[str, TypedData] = {}
        for binding in _inputs(function):
            if not self._why_unconnected(binding):
                value = await self._read(binding, facts)
                values |= {} if value is None else {str(binding["name"]): value}
        return values

    async def _read(self, binding: BindingDict, facts: Mapping[str, object]) -> TypedData | None:
        try:
            path = resolve(str(binding.get("path") or ""), facts, self._storage.settings)
            container, name = split_path(path)
            if is_deferred(binding):
                return reference_data(binding, container, name)
            blob = await BlobStore(self._storage.account_of(binding)).read(container, name)
        except StorageError as error:
            raise StorageError(f"input {_named(binding)} cannot be read: {error}") from error
        return None if blob is None else content_data(blob.content, binding, default="binary")

    async def write(self, function: LoadedFunction, data: TriggerData, outcome: Outcome) -> Outcome:
        """
        Write what a function has put out; the outcome is a failure where that cannot be done.

        The outputs of a function that has failed go nowhere, as in the host.
        """
        if not outcome.is_ok:
            return self._explain(function, outcome)
        facts = facts_of(function, data)
        for binding, value in _outputs(function, outcome):
            try:
                await self._write(binding, value, facts)
            except StorageError as error:
                message = f"output {_named(binding)} cannot be written: {error}"
                return replace(outcome, is_ok=False, error=message, stack_trace="")
        return outcome

    async def _write(
        self, binding: BindingDict, value: TypedData, facts: Mapping[str, object]
    ) -> None:
        reason = self._why_unconnected(binding)
        if reason:
            text = f"output {_named(binding)} goes nowhere here: {str(value).strip()}"
            self._console.log(text, level=logging.WARNING)
        elif _type(binding) == "queue":
            await self._send(binding, value, facts)
        else:
            await self._upload(binding, value, facts)

    async def _send(
        self, binding: BindingDict, value: TypedData, facts: Mapping[str, object]
    ) -> None:
        name = resolve(str(binding.get("queueName") or ""), facts, self._storage.settings)
        queue = self._storage.queue(self._storage.account_of(binding), name)
        bodies = messages_of(value)
        for body in bodies:
            await queue.send(body)
        self._storage.announce(queue)
        count = f" as {len(bodies)} messages" if len(bodies) != 1 else ""
        self._show(binding, f"queue {queue.name!r}{count}", value)

    async def _upload(
        self, binding: BindingDict, value: TypedData, facts: Mapping[str, object]
    ) -> None:
        path = resolve(str(binding.get("path") or ""), facts, self._storage.settings)
        container, name = split_path(path)
        if not name:
            raise StorageError(f"the path {path!r} has no blob: write 'container/blob'")
        store = BlobStore(self._storage.account_of(binding))
        await store.write(container, name, content_of(value))
        self._show(binding, f"blob {path!r}", value)

    def _show(self, binding: BindingDict, where: str, value: TypedData) -> None:
        text = str(value).strip()
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        self._console.log(f"output {_named(binding)} went to {where}: {shown}")

    def _explain(self, function: LoadedFunction, outcome: Outcome) -> Outcome:
        """Name the inputs that were empty, of which the function may have wanted something."""
        reasons = [
            f"input {_named(binding)} was empty: {reason}"
            for binding in _inputs(function)
            if (reason := self._why_unconnected(binding))
        ]
        if not reasons:
            return outcome
        for reason in reasons:
            self._console.log(reason, level=logging.WARNING)
        return replace(outcome, error="; ".join([outcome.error, *reasons]))

    def _why_unconnected(self, binding: BindingDict) -> str:
        """Return why a binding goes nowhere, `""` where it is connected."""
        if _type(binding) not in _CONNECTED:
            return f"bindings of the type {binding['type']!r} are not connected here"
        try:
            self._storage.account_of(binding)
        except StorageError as error:
            return str(error)
        return ""


_CONNECTED = frozenset({"blob", "blobtrigger", "queue"})
_OF_THE_TASK_HUB = frozenset({"durableclient", "orchestrationclient"})
_SHOWN = 200  # characters of an output on the console
_RETURN = "$return"


def _type(binding: BindingDict) -> str:
    return str(binding["type"]).lower()


def _named(binding: BindingDict) -> str:
    return f"{binding['name']!r} ({binding['type']})"


def _inputs(function: LoadedFunction) -> Iterator[BindingDict]:
    for binding in function.bindings:
        is_input = str(binding.get("direction", "")).lower() in ("in", "inout")
        is_elsewhere = binding is function.trigger or _type(binding) in _OF_THE_TASK_HUB
        if is_input and not is_elsewhere:
            yield binding


def _outputs(function: LoadedFunction, outcome: Outcome) -> Iterator[tuple[BindingDict, TypedData]]:
    """List the outputs that a function has set; an answer to HTTP is none of them."""
    for binding in function.bindings:
        name = str(binding["name"])
        value = outcome.value if name == _RETURN else outcome.outputs.get(name)
        is_output = str(binding.get("direction", "")).lower() in ("out", "inout")
        if (
            is_output
            and _type(binding) != "http"
            and value is not None
            and value.WhichOneof("data")
        ):
            yield binding, value
