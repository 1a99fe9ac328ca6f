"""Which types of bindings are emulated here, and which an app has beside them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from funcscope.contrib.host._worker.worker import LoadedFunction

EMULATED = frozenset(
    {
        "activitytrigger", "blob", "blobtrigger", "durableclient", "entitytrigger",
        "eventgridtrigger", "http", "httptrigger", "orchestrationclient", "orchestrationtrigger",
        "queue", "queuetrigger", "timertrigger",
    }
)  # fmt: skip
"""The types that are connected, or started, in lower case."""


def explain_unemulated(functions: Sequence[LoadedFunction]) -> str:
    """Say in one line which types of an app's bindings are not emulated, `""` where all are."""
    found: dict[str, list[str]] = defaultdict(list)
    for function in functions:
        for kind in dict.fromkeys(str(binding["type"]) for binding in function.bindings):
            if kind.lower() not in EMULATED:
                found[kind].append(function.name)
    if not found:
        return ""
    kinds = ", ".join(f"{kind} ({', '.join(names)})" for kind, names in sorted(found.items()))
    return (
        f"not emulated here: {kinds}: such triggers start by admin requests alone, "
        "inputs are empty, outputs are shown"
    )
