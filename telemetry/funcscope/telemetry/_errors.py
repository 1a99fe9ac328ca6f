"""The errors that this package raises."""

from __future__ import annotations


class TelemetryError(Exception):
    """A use of this package is wrong; the message says which and what to do."""
