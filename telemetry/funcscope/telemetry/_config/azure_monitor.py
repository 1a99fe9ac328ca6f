"""Azure Monitor as a destination: where to, and who sends there already."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from funcscope.telemetry._config.options import LOCAL_HOST
from funcscope.telemetry._integrations import NEEDS_AZURE_MONITOR

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING = "APPLICATIONINSIGHTS_CONNECTION_STRING"
KEYWORD = "connection_string"
"""The same, given in code by the integration."""

MODULE = "azure.monitor.opentelemetry.exporter"

_HOSTS = (SETTING, "APPINSIGHTS_INSTRUMENTATIONKEY")  # Functions host 4.1037 to 4.1048
_KEY = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_installed() -> bool:
    """
    Tell whether Azure Monitor's exporter is there, without loading it.

    By its file: to ask `find_spec` for it would import its parents, of which the distro, where it
    is installed, is one (azure-monitor-opentelemetry 1.8).
    """
    if MODULE in sys.modules:
        return True
    try:
        spec = find_spec("azure")
    except ValueError:  # a package that somebody has put together by hand
        return False
    folders = (spec and spec.submodule_search_locations) or ()
    file = Path("monitor", "opentelemetry", "exporter", "__init__.py")
    return any((Path(folder) / file).is_file() for folder in folders)


def azure_monitor_problem() -> str | None:
    """Say what Azure Monitor's integration needs, without loading that; None if it is there."""
    return None if is_installed() else NEEDS_AZURE_MONITOR


def connection_string_problem(connection_string: str) -> str | None:
    """
    Say what is wrong with a connection string, without any of its values; None if nothing is.

    What the exporter would refuse, which does not say why (`_connection_string_parser.py`,
    azure-monitor-opentelemetry-exporter 1.0.0b58).
    """
    parts = connection_string.split(";")
    for number, part in enumerate(parts, start=1):
        if part.count("=") != 1:
            what = "is empty" if not part.strip() else "is not NAME=VALUE"
            return f"part {number} of {len(parts)} {what}"
    parsed = _parsed(connection_string)
    if not _KEY.fullmatch(parsed.get("instrumentationkey", "")):
        return "it has no InstrumentationKey that is a UUID in lower case"
    if parsed.get("authorization", "ikey").lower() != "ikey":
        return "its Authorization is not ikey"
    endpoint = parsed.get("ingestionendpoint", "https://")
    if not endpoint.startswith(("https://", "http://")):
        return "its IngestionEndpoint is not a URL"
    return None


def is_the_hosts(connection_string: str, environ: Mapping[str, str]) -> bool:
    """Tell whether the host, which reads the same app settings, sends to the same resource."""
    return is_the_hosts_key(key_of(connection_string), environ)


def key_of(connection_string: str) -> str:
    """Return the instrumentation key; empty where there is none."""
    return _parsed(connection_string).get("instrumentationkey", "")


def is_the_hosts_key(key: str, environ: Mapping[str, str]) -> bool:
    """Tell the same of an instrumentation key."""
    theirs, bare = (environ.get(name, "").strip() for name in _HOSTS)
    return bool(key) and key in (_parsed(theirs).get("instrumentationkey"), bare)


def has_host_insights(environ: Mapping[str, str]) -> bool:
    """
    Tell whether the host sends to Application Insights at all.

    It cannot without a key, and the local host never does.
    """
    if environ.get(LOCAL_HOST):
        return False
    given, bare = (environ.get(name, "").strip() for name in _HOSTS)
    return bool(_parsed(given).get("instrumentationkey") or bare)


def _parsed(connection_string: str) -> dict[str, str]:
    """Parse as the exporter does, down to which of two counts."""
    pairs = (part.partition("=") for part in connection_string.split(";"))
    return {k.lower(): v for k, v in {name: value for name, _, value in pairs}.items()}
