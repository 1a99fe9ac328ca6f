"""What each trigger says of an invocation: name, kind, attributes and links, as pure functions."""

from funcscope.telemetry.triggers._description import Attributes, Description, Outcome
from funcscope.telemetry.triggers._families import describe

__all__ = ["Attributes", "Description", "Outcome", "describe"]
