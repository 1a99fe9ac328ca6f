"""
The resource of this process, by semantic conventions 1.44.

Azure's settings are read here and not by `opentelemetry-resource-detector-azure`, whose
attributes would be replaced or repeated one by one: docs/decisions/010-resource.md.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from funcscope.telemetry._config.options import read_number
from funcscope.telemetry._sdk_settings import DETECTORS, sdk_environment
from funcscope.telemetry._semconv import RESOURCE_GROUP, read_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.resources import Resource

    Attributes = dict[str, str | bool | int | float]

_AZURE_SETTINGS = ("WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME")
"""Set by Azure on any of its plans, and not by Core Tools on a laptop."""

_INSTANCES = ("WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME", "CONTAINER_NAME")
"""Variables that name an instance: App Service and Premium, Flex Consumption, Linux Consumption."""

COMMAND_LINE = Path("/proc/self/cmdline")
"""This process's, with a NUL after each argument."""

_BYTES_IN_MB = 1024 * 1024
_INT64 = 2**63


def resource(environ: Mapping[str, str]) -> Resource:
    """
    Describe the function app, from its settings alone: nothing is asked of the network.

    What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` state wins over what Azure's settings
    say, key by key. A setting that is missing or cannot be read costs its own attributes.
    """
    from opentelemetry.sdk.resources import Resource  # the service's name is asked without it

    attributes = {**app_attributes(environ), **_stated(environ)}
    own = Resource({_text(k): _value(v) for k, v in attributes.items()})
    return _detected(environ).merge(own)


def _detected(environ: Mapping[str, str]) -> Resource:
    """Return what the SDK knows, and the detectors of other packages that the settings name."""
    names = environ.get(DETECTORS) or sdk_environment.detectors
    if not names.strip():
        from opentelemetry.sdk.resources import Resource

        return Resource.create()
    from funcscope.telemetry._plugins import detect

    return detect(names)


def service_name(environ: Mapping[str, str]) -> str:
    """Return what the resource's `service.name` will be."""
    return _text(str(_stated(environ).get("service.name") or _service_name(environ)))


def app_attributes(environ: Mapping[str, str]) -> Attributes:
    """Return what Azure's settings say; on a laptop, where it is not Azure's to say, the name."""
    attributes: Attributes = {"service.name": _service_name(environ)}
    if any(environ.get(name) for name in _AZURE_SETTINGS):
        attributes.update(_azure_attributes(environ))
        attributes.update(_instance_attributes(environ))
    return attributes


def function_resource_id(function_name: str, environ: Mapping[str, str]) -> str | None:
    """
    Return a function's Azure Resource Manager id, None where the settings do not tell.

    `WEBSITE_OWNER_NAME` starts with the subscription (`<id>+<region>`); Flex Consumption sets
    no `WEBSITE_RESOURCE_GROUP`.
    """
    subscription = environ.get("WEBSITE_OWNER_NAME", "").partition("+")[0]
    group = environ.get("WEBSITE_RESOURCE_GROUP", "")
    site = environ.get("WEBSITE_SITE_NAME", "")
    if not (subscription and group and site):
        return None
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.Web/sites/{site}/functions/{function_name}"
    )


def _azure_attributes(environ: Mapping[str, str]) -> Attributes:
    """
    Return where the app runs.

    The host and Microsoft's workers write `azure_functions`, which the conventions spell
    `azure.functions` since 1.37; what is compared with the host's has to be spelt as there.
    """
    attributes: Attributes = {
        "cloud.provider": "azure",
        "cloud.platform": "azure_functions",
        # The production slot is `Production` on some plans, and on others not named at all.
        "deployment.environment.name": environ.get("WEBSITE_SLOT_NAME", "").lower() or "production",
    }
    if region := environ.get("REGION_NAME"):
        attributes["cloud.region"] = region
    # `<subscription>+<region>`; an app's own id is a function's without its end.
    if subscription := environ.get("WEBSITE_OWNER_NAME", "").partition("+")[0]:
        attributes["cloud.account.id"] = subscription
    group = environ.get("WEBSITE_RESOURCE_GROUP", "")
    if group and "faas" in read_names(environ).chosen:
        attributes[RESOURCE_GROUP] = group
    if resource_id := function_resource_id("", environ):
        attributes["cloud.resource_id"] = resource_id.removesuffix("/functions/")
    return attributes


def _instance_attributes(environ: Mapping[str, str]) -> Attributes:
    """
    Return which of the app's instances this is.

    `service.instance.id` has to be unique, or the counters of two processes would be taken for
    one: at its end is what tells the process from others of its instance.
    """
    attributes: Attributes = {}
    if memory := _number(environ.get("WEBSITE_MEMORY_LIMIT_MB", "")) * _BYTES_IN_MB:
        attributes["faas.max_memory"] = memory
    instance = next(filter(None, map(environ.get, _INSTANCES)), None)
    if instance:
        attributes["faas.instance"] = instance
        attributes["service.instance.id"] = "-".join(filter(None, (instance, _process(environ))))
    return attributes


def _process(environ: Mapping[str, str]) -> str:
    """
    Return what tells this process from others of its instance; empty where it may be alone.

    The begin of the GUID that azure-functions-host 4.x puts on the command line of each worker that
    it starts, also in the place of one that has ended; the process id of a child, and of others.
    Python's own arguments are the parent's in a child that `multiprocessing` spawns.
    """
    command: list[str] = []
    with suppress(OSError):  # no Linux, where all apps in Azure run
        command = COMMAND_LINE.read_text("utf-8", "replace").split("\0")
    pairs = dict(pairwise(command))
    worker_id = pairs.get("--functions-worker-id") or pairs.get("--workerId")
    is_one_of_several = (
        _number(environ.get("FUNCTIONS_WORKER_PROCESS_COUNT", "")) > 1
        or "FUNCSCOPE_INVOCATION_ID" in environ
        or any("multiprocessing" in argument for argument in command)
    )
    return worker_id[:8] if worker_id else str(os.getpid()) if is_one_of_several else ""


def _service_name(environ: Mapping[str, str]) -> str:
    """Return the site's name in Azure, the app's folder elsewhere."""
    if site := environ.get("WEBSITE_SITE_NAME"):
        return site
    root = environ.get("AzureWebJobsScriptRoot")
    return (Path(root).name if root else "") or "function-app"


def _stated(environ: Mapping[str, str]) -> Attributes:
    """
    Return what the standard settings state, parsed as the SDK does.

    The SDK's own detector reads `os.environ`, and says what is wrong with a pair.
    """
    pairs = (item.partition("=") for item in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    stated: Attributes = {
        key.strip(): unquote(value.strip()) for key, equals, value in pairs if equals
    }
    stated.pop("", None)
    if name := environ.get("OTEL_SERVICE_NAME") or stated.pop("service.name", None):
        stated["service.name"] = name
    return stated


def _number(text: str) -> int:
    """Return a whole number that an exporter can send as bytes; 0 for anything else."""
    return read_number(text, int, 1, _INT64 // _BYTES_IN_MB - 1) or 0


def _value(value: str | float) -> str | float:
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """Replace what UTF-8 cannot encode, as bytes of an environment may be: exporters fail on it."""
    return text.encode("utf-8", "replace").decode()
