"""What is being sent must not be told of: how the SDK and instrumentations agree on that."""

from __future__ import annotations

from typing import cast

from opentelemetry import context as otel_context

from funcscope.telemetry._context import current_context

_PLAIN_KEY = "suppress_instrumentation"
_KEY = cast("str", getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", _PLAIN_KEY))
SUPPRESS_KEYS = (_KEY, _PLAIN_KEY)
"""The key that the SDK's processors set (opentelemetry.context 1.45), which is another in each
process, and the name that older instrumentations read."""


def is_suppressed() -> bool:
    """Tell whether telemetry is being sent here and now."""
    context = current_context()
    return bool(context.get(_KEY) or context.get(_PLAIN_KEY))
