"""What each trigger says of an invocation: name, kind, attributes and links, as pure functions."""

from funcscope.telemetry._triggers.choice import describe
from funcscope.telemetry._triggers.extractor import (
    Attributes,
    Captured,
    Description,
    Outcome,
    Said,
    no_links,
)

__all__ = [
    "Attributes",
    "Captured",
    "Description",
    "Outcome",
    "Said",
    "describe",
    "no_links",
]
