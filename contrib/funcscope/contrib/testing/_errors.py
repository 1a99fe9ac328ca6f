"""The error of a test, as opposed to one of the function that it calls."""

from __future__ import annotations

from funcscope.contrib._local.errors import AppError


class TestingError(AppError):
    """The app, the function or one of its arguments is not to be had; the message says which."""

    __test__ = False  # pytest would collect it
