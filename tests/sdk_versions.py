"""The OpenTelemetry SDK that is installed, for tests of what only some of its versions have."""

from __future__ import annotations

from importlib.metadata import version

import pytest

OWN_SPANS = "what our own spans are made with"

OLD = "spans are made by the SDK itself"
"""How the line begins that says so of an SDK before 1.42, wherever an invocation has begun."""

INSTALLED = int(version("opentelemetry-sdk").split(".")[1])
"""The second number of its version."""


def since(minor: int, reason: str) -> pytest.MarkDecorator:
    """
    Leave a test out before a version of the SDK.

    Args:
        minor: 44 for 1.44.
        reason: What that version has first.
    """
    return pytest.mark.skipif(minor > INSTALLED, reason=f"since SDK 1.{minor}: {reason}")


def without_advice(log: str) -> str:
    """Return a log without the line that tells of an old SDK, where this is one."""
    lines = log.splitlines(keepends=True)
    return "".join(line for line in lines if INSTALLED >= 42 or OLD not in line)
