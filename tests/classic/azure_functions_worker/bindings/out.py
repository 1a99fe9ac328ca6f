"""Output bindings."""

from __future__ import annotations


class Out:
    """Holds what a function sets."""

    def __init__(self) -> None:
        self._value: object = None

    def set(self, val: object) -> None:
        self._value = val

    def get(self) -> object:
        return self._value
