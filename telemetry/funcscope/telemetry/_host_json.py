"""What host.json says that telemetry needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ROUTE_PREFIX = "api"


def route_prefix(environ: Mapping[str, str]) -> str:
    """
    Return the prefix of all HTTP routes; the host's default where host.json has none.

    The host validates host.json and does not start with a broken one, so a file that cannot
    be read here is nobody's error to report.
    """
    root = environ.get("AzureWebJobsScriptRoot")
    if not root:
        return DEFAULT_ROUTE_PREFIX
    try:
        value: object = json.loads((Path(root) / "host.json").read_text("utf-8-sig"))
    except (OSError, ValueError):
        return DEFAULT_ROUTE_PREFIX
    for key in ("extensions", "http", "routePrefix"):
        if not isinstance(value, dict):
            return DEFAULT_ROUTE_PREFIX
        value = cast("dict[str, object]", value).get(key)
    return value if isinstance(value, str) else DEFAULT_ROUTE_PREFIX
