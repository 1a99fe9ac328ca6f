"""What host.json says that telemetry needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ROUTE_PREFIX = "api"


def route_prefix(environ: Mapping[str, str]) -> str:
    """Return the prefix of all HTTP routes; the host's default where host.json has none."""
    value = host_setting(environ, "extensions", "http", "routePrefix")
    return value if isinstance(value, str) else DEFAULT_ROUTE_PREFIX


def host_setting(environ: Mapping[str, str], *keys: str) -> object:
    """
    Return a value of host.json, None where it has none.

    The host validates host.json and does not start with a broken one, so a file that cannot
    be read here is nobody's error to report.
    """
    root = environ.get("AzureWebJobsScriptRoot")
    if not root:
        return None
    try:
        value: object = json.loads((Path(root) / "host.json").read_text("utf-8-sig"))
    except (OSError, ValueError):
        return None
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, object]", value).get(key)
    return value
