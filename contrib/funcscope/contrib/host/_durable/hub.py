"""The task hub: all instances of an app, in memory (docs/decisions/065)."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

from funcscope.contrib._local.trace_context import HostTraceContext, continue_trace, new_id
from funcscope.contrib.host._durable.calls import DurableFunctions, Returned
from funcscope.contrib.host._durable.entities import Entities
from funcscope.contrib.host._durable.history import EventKind, make_event
from funcscope.contrib.host._durable.instance import Instance
from funcscope.contrib.host._durable.orchestration import OrchestrationRun
from funcscope.contrib.host._durable.requests import send_request
from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._worker.invocations import Invoker
    from funcscope.contrib.host._worker.worker import LoadedFunction

MAX_INSTANCES = 10_000
"""Of those that have ended, the oldest go when there are more."""


class TaskHub:
    """
    Orchestrations and entities of one app, kept in memory; used on the event loop alone.

    Args:
        functions: All functions of the app.
        invoker: What calls them.
        console: Where to say what goes wrong.
        replaces: Whether an instance that runs gives way to a new one with its id.
    """

    name = "orchestrations in memory"

    def __init__(
        self,
        functions: Sequence[LoadedFunction],
        invoker: Invoker,
        console: HostConsole,
        *,
        replaces: bool = False,
    ) -> None:
        self._functions = DurableFunctions(functions, invoker)
        self._entities = Entities(self._functions, console)
        self._console = console
        self._instances: dict[str, Instance] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._replaces = replaces

    @property
    def functions(self) -> DurableFunctions:
        """The app's orchestrators, activities and entities."""
        return self._functions

    @property
    def entities(self) -> Entities:
        """All entities."""
        return self._entities

    async def run(self) -> None:
        """Say where orchestrations are kept; when the host stops, let their functions finish."""
        self._console.say(
            "orchestrations and entities are kept in memory, and end with this host", style="dim"
        )
        try:
            await asyncio.Event().wait()
        finally:
            await self._stop()

    async def _stop(self) -> None:
        unfinished = [i for i in self._instances.values() if not i.has_ended]
        for instance in unfinished:
            instance.enter("Terminated")
            instance.is_resumed.set()
            instance.inbox.put_nowait(make_event(EventKind.EVENT_RAISED, Name="", Input="null"))
        tasks = [*self._running, *self.entities.running]
        if tasks:
            await asyncio.wait(tasks)
        if unfinished:
            text = f"{len(unfinished)} orchestrations had not ended, and are gone with this host"
            self._console.log(text, level=logging.WARNING)

    @property
    def instances(self) -> list[Instance]:
        """All instances, the oldest first."""
        return list(self._instances.values())

    def find(self, instance_id: str) -> Instance | None:
        """Return an instance; None where there is none."""
        return self._instances.get(instance_id)

    def start(
        self,
        name: str,
        text: str | None,
        *,
        instance_id: str | None = None,
        context: HostTraceContext | None = None,
        parent: tuple[str, int] | None = None,
    ) -> Instance:
        """
        Start an orchestration.

        Args:
            name: The orchestrator's.
            text: Its input, JSON.
            instance_id: A new one if it is None.
            context: The trace that it is part of; a new one if it is None.
            parent: The instance that has started it, and its task's number there.

        Raises:
            HostError: One with the same id has not ended, and none is replaced.
        """
        self._make_way(instance_id)
        context = context or continue_trace()
        instance = Instance(instance_id or new_id().replace("-", ""), name, text, context, parent)
        self._instances[instance.id] = instance
        task = asyncio.create_task(self._run(instance))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        self._forget_old()
        return instance

    def _make_way(self, instance_id: str | None) -> None:
        """Forget the instance with an id that is to be started anew, if that may be."""
        existing = None if instance_id is None else self._instances.get(instance_id)
        if existing is None:
            return
        if not existing.has_ended:
            if not self._replaces:
                # The words of DurableTask.Core, which apps look for.
                raise HostError(
                    "OrchestrationAlreadyExistsException: An Orchestration instance with the "
                    f"status {existing.status} already exists."
                )
            self.terminate(existing, "replaced by a new instance with its id")
        del self._instances[existing.id]

    async def _run(self, instance: Instance) -> None:
        try:
            await OrchestrationRun(instance, self).run()
        except Exception as error:  # noqa: BLE001 -- an instance's end must not be the others'
            instance.error = f"{type(error).__name__}: {error}"
            instance.enter("Failed")
        if instance.status == "Failed":
            why = " ".join(instance.error.split())
            self._console.log(
                f"orchestration {instance.name!r} ({instance.id}) failed: {why}",
                level=logging.ERROR,
            )

    def _forget_old(self) -> None:
        if len(self._instances) > MAX_INSTANCES:
            ended = next((key for key, i in self._instances.items() if i.has_ended), None)
            if ended is not None:
                del self._instances[ended]

    async def run_child(
        self, name: str, text: str | None, parent: Instance, instance_id: str, number: int
    ) -> Returned:
        """Run an orchestration of another's, and wait for its end."""
        if not self.functions.has("orchestrationTrigger", name):
            names = self.functions.names("orchestrationTrigger")
            return Returned("null", f"there is no orchestrator {name!r}; there are: {names}")
        try:
            child = self.start(
                name,
                text,
                instance_id=instance_id,
                context=parent.context,
                parent=(parent.id, number),
            )
        except HostError as error:
            return Returned("null", str(error))
        await child.ended.wait()
        if child.status == "Completed":
            return Returned(json.dumps(child.output), "")
        return Returned("null", child.error or f"it was {child.status.lower()}")

    def raise_event(self, instance: Instance, name: str, text: str) -> None:
        """Tell an orchestration of an event from outside; `text` is JSON."""
        event = make_event(EventKind.EVENT_RAISED, Name=name, Input=text)
        instance.inbox.put_nowait(event)

    def terminate(self, instance: Instance, reason: str) -> None:
        """End an orchestration; functions of it that run are not waited for."""
        instance.error = reason
        instance.enter("Terminated")
        instance.is_resumed.set()
        self.raise_event(instance, "", "null")  # it wakes up, and sees that it has ended

    def suspend(self, instance: Instance) -> None:
        """Have an orchestration be told nothing more until it is resumed."""
        instance.is_resumed.clear()
        instance.enter("Suspended")

    def resume(self, instance: Instance) -> None:
        """Let an orchestration go on."""
        instance.enter("Running")
        instance.is_resumed.set()

    def purge(self, instances: Sequence[Instance]) -> int:
        """Forget instances that have ended, and tell how many they were."""
        ended = [instance for instance in instances if instance.has_ended]
        for instance in ended:
            del self._instances[instance.id]
        return len(ended)

    async def fetch(self, request: Mapping[str, object]) -> Returned:
        """Send an orchestrator's HTTP request; an error of the network is the task's."""
        try:
            return Returned(json.dumps(await send_request(request)), "")
        except (OSError, ValueError) as error:
            return Returned("null", f"{type(error).__name__}: {error}")
