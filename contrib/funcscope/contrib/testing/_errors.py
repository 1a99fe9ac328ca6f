"""What goes wrong in a test, and not in the function that it calls."""

from __future__ import annotations


class TestingError(Exception):
    """The app, the function or one of its arguments is not to be had; the message says which."""

    __test__ = False  # pytest would collect it
