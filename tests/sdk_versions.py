"""The OpenTelemetry SDK that is installed, for tests of what only some of its versions have."""

from __future__ import annotations

from importlib.metadata import version

import pytest

OWN_SPANS = "what our own spans are made with"

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
