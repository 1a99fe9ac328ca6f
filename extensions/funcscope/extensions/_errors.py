"""What this package raises, and how it says that an extension went wrong."""

from __future__ import annotations

import logging
from contextlib import suppress

_logger = logging.getLogger("funcscope.extensions")


class ExtensionError(Exception):
    """An extension, or a use of one, is wrong; the message says which and what to do."""


class Reject(Exception):  # noqa: N818  (what a guard does, not something that went wrong)
    """
    Raised by an extension before the function runs: the function is not called.

    Extensions further out see it at their yield, as they see an exception; post hooks do not
    run. Raised after the function ran it is a fault like any other.

    Args:
        response: What the worker gets in place of the function's result.
    """

    def __init__(self, response: object = None) -> None:
        super().__init__("the invocation was rejected")
        self.response = response


class Faults:
    """
    Says what went wrong in one function's extensions, each thing once.

    An extension that fails does so in every invocation: one line names it, with its
    traceback, and `count` tells how often it happened.
    """

    def __init__(self, function_name: str) -> None:
        self._function_name = function_name
        self._counts: dict[tuple[str, str], int] = {}

    @property
    def count(self) -> int:
        """How many faults there were, the unsaid ones included."""
        return sum(self._counts.values())

    def report(self, extension: str, fault: str, error: BaseException | None = None) -> None:
        """
        Log a fault of an extension, unless this function's log has it already.

        Args:
            extension: The extension's name and position.
            fault: What it did, from the verb on: `failed in pre_invocation`.
            error: What it raised, if it did.
        """
        key = (extension, fault)
        seen = self._counts.get(key, 0)
        self._counts[key] = seen + 1
        if seen > 0:
            return
        # A log handler of the app's that raises must not turn a fault into a failed call.
        with suppress(Exception):
            _logger.error(
                "extension %s %s for function %s; what the function gives is not affected, "
                "and this is not said again for this function",
                extension,
                fault,
                self._function_name,
                exc_info=error,
            )
