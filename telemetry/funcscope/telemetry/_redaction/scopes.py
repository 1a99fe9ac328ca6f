"""Take secrets out of what telemetry is of: a scope, a resource, a log record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from funcscope.telemetry._values.limits import cut_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry._logs import LogRecord
    from opentelemetry.util.types import AnyValue, Attributes

    from funcscope.telemetry._redaction.redactor import Redactor

ScopeT = TypeVar("ScopeT", bound="InstrumentationScope | None")


def redacted_scope(scope: ScopeT, redactor: Redactor) -> ScopeT:
    """Return an instrumentation's scope without secrets: itself, where it holds none."""
    if scope is None:
        return scope
    name = redactor.redact_name(scope.name)
    given = cast("dict[str, Any]", scope.attributes or {})
    attributes = redactor.redact_attributes(dict(given)) if given else None
    if name is scope.name and attributes is None:
        return scope
    clean = given if attributes is None else attributes
    return cast("ScopeT", InstrumentationScope(name, scope.version, scope.schema_url, clean))


def redacted_resource(resource: Resource, redactor: Redactor) -> Resource:
    """Return a resource without secrets, such as a command line's: itself, if it holds none."""
    attributes = redactor.redact_attributes(dict(resource.attributes))
    return resource if attributes is None else Resource(attributes, resource.schema_url)


def redact_record(record: LogRecord, redactor: Redactor, most: int | None = None) -> None:
    """
    Take secrets out of all that a log record says.

    Args:
        record: The record.
        redactor: Takes them out.
        most: To how many characters the texts in its attributes are cut after that.
    """
    record.body = cast("AnyValue", redactor.redact_texts(record.body))
    given = cast("dict[str, AnyValue]", record.attributes or {})
    attributes = redactor.redact_attributes(given)
    if most is not None:
        clean = given if attributes is None else attributes
        attributes = {name: cut_texts(value, most) for name, value in clean.items()}
    if attributes is not None:
        dropped = cast("int", getattr(given, "dropped", 0))
        record.attributes = counted(attributes, dropped) if dropped else attributes
    if record.event_name:
        record.event_name = redactor.redact(record.event_name)
    if record.severity_text:
        record.severity_text = redactor.redact(record.severity_text)


def counted(attributes: Mapping[str, AnyValue], dropped: int) -> Attributes:
    """Return attributes that tell how many more there were."""
    bounded = BoundedAttributes(attributes=attributes)
    bounded.dropped = dropped
    return bounded
