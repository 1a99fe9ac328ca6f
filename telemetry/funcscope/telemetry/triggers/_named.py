"""The triggers that are told by name alone: kind, `faas.trigger` and, for messages, where from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from funcscope.telemetry.triggers._description import Attributes, Description

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.extensions import Binding, Function

_SETTING = re.compile(r"%([^%]+)%")


@dataclass(frozen=True, slots=True)
class Family:
    """
    What a binding type says of its spans.

    Attributes:
        faas_trigger: `faas.trigger`, semantic conventions 1.44.
        kind: The span's kind.
        system: `messaging.system` of a message trigger.
        destinations: The settings that name the queue, topic or hub, the first one set wins.
    """

    faas_trigger: str
    kind: SpanKind = SpanKind.SERVER
    system: str | None = None
    destinations: tuple[str, ...] = ()


_OTHER = Family("other")
_INTERNAL = Family("other", SpanKind.INTERNAL)
_DATA = Family("datasource")


def _messages(system: str, *destinations: str) -> Family:
    return Family("pubsub", SpanKind.CONSUMER, system, destinations)


FAMILIES: Mapping[str, Family] = {
    "activitytrigger": _INTERNAL,
    "blobtrigger": _DATA,
    "cosmosdbtrigger": _DATA,
    "daprtopictrigger": _messages("dapr", "topic"),
    "entitytrigger": _INTERNAL,
    "eventgridtrigger": _messages("eventgrid"),
    "eventhubtrigger": _messages("eventhubs", "eventHubName"),
    "kafkatrigger": _messages("kafka", "topic"),
    "mcptooltrigger": _INTERNAL,
    "mysqltrigger": _DATA,
    "orchestrationtrigger": _INTERNAL,
    "queuetrigger": _messages("azure_storage_queue", "queueName"),
    "servicebustrigger": _messages("servicebus", "queueName", "topicName"),
    "sqltrigger": _DATA,
    "timertrigger": Family("timer"),
    "warmuptrigger": _INTERNAL,
}
"""By binding type in lower case; semconv table of triggers, `messaging.system` 1.44."""


def describe(
    function: Function, trigger: Binding | None, environ: Mapping[str, str]
) -> Description:
    """Describe the invocations of a function by its trigger's type."""
    family = FAMILIES.get(trigger.type.lower(), _OTHER) if trigger else _OTHER
    constants: Attributes = {"faas.trigger": family.faas_trigger}
    name = function.name
    if family.system is not None and trigger is not None:
        constants["messaging.system"] = family.system
        constants["messaging.operation.name"] = constants["messaging.operation.type"] = "process"
        if destination := _destination(trigger, family, environ):
            constants["messaging.destination.name"] = destination
            name = f"process {destination}"
    return Description(kind=family.kind, constants=constants, name=lambda _invocation: name)


def _destination(trigger: Binding, family: Family, environ: Mapping[str, str]) -> str | None:
    """Read where messages come from; `%NAME%` stands for the app setting NAME."""
    for key in family.destinations:
        if value := trigger.settings.get(key):
            return _SETTING.sub(lambda match: environ.get(match[1], match[0]), str(value))
    return None
