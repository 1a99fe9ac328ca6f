"""What each trigger says of an invocation: name, kind, attributes and links, as pure functions."""

from funcscope.telemetry.triggers._description import (
    Attributes,
    Captured,
    Description,
    Outcome,
    Said,
    no_links,
)
from funcscope.telemetry.triggers._families import describe

__all__ = [
    "Attributes",
    "Captured",
    "Description",
    "Outcome",
    "Said",
    "describe",
    "no_links",
]
