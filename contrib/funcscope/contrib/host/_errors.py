"""The one error that people who run the local host see."""

from __future__ import annotations

from funcscope.contrib._local.errors import AppError


class HostError(AppError):
    """The local host cannot go on: the message says what is wrong and what to do."""
