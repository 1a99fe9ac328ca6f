"""What goes wrong with storage."""

from __future__ import annotations

from funcscope.contrib.host._errors import HostError


class StorageError(HostError):
    """Storage is not connected, or does not do what it was asked; no secret is in the message."""
