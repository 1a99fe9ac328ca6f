"""Entities: the attributes of their spans, and the failures that the SDK makes messages of."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, cast

from opentelemetry.trace import get_current_span

from funcscope.extensions import current_invocation
from funcscope.telemetry.integration import TASK_INSTANCE, TASK_NAME, TASK_OPERATION, report_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class EntityContext(Protocol):
    """`DurableEntityContext`, as far as we read it."""

    @property
    def entity_name(self) -> str:
        """The entity's name."""
        ...

    @property
    def entity_key(self) -> str:
        """The entity's key."""
        ...


def instance_of(context: EntityContext) -> str:
    """Return an entity's instance id, as `EntityId.get_scheduler_id` makes it."""
    return f"@{context.entity_name.lower()}@{context.entity_key}"


def describe(context: EntityContext, batch: Iterable[Mapping[str, Any]]) -> None:
    """Set an entity's attributes on the invocation's span; its operation where it is one alone."""
    operations = {operation.get("name") for operation in batch}
    attributes = {TASK_NAME: context.entity_name, TASK_INSTANCE: instance_of(context)}
    if len(operations) == 1:
        attributes[TASK_OPERATION] = str(*operations)
    get_current_span().set_attributes(attributes)


def reporting(function: Callable[..., object]) -> Callable[..., object]:
    """
    Report what an entity's function raises.

    The SDK makes a message of it and goes on with the next operation (`entity.py`,
    azure-functions-durable 1.7.0), so that nobody else sees the exception.
    """

    @wraps(function)
    def call(context: object) -> object:
        try:
            return function(context)
        except Exception as error:
            invocation = current_invocation()
            if invocation is not None and type(error).__name__ != "InternalEntityException":
                report_failure(invocation, error)
            raise

    return cast("Callable[..., object]", call)
