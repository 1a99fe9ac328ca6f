"""Errors of apps on disk, of which the host's and the plugin's derive."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class AppError(Exception):
    """The app cannot be used: the message says what is wrong and what to do."""


@contextmanager
def raised_as(error: type[AppError]) -> Generator[None, None, None]:
    """Raise the errors of this package as the caller's own, which its users know."""
    try:
        yield
    except AppError as caught:
        raise error(*caught.args) from caught.__cause__
