"""Who this process is: resource attributes, semantic conventions 1.44."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping


def resource(environ: Mapping[str, str]) -> Resource:
    """
    Describe the function app.

    `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over what Azure's settings say.
    """
    ours = Resource(
        {
            "service.name": _service_name(environ),
            "cloud.provider": "azure",
            "cloud.platform": "azure_functions",
        }
    )
    if environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        return ours.merge(Resource.create())
    return Resource.create().merge(ours)


def _service_name(environ: Mapping[str, str]) -> str:
    """Return the site's name in Azure, the app's folder elsewhere."""
    if site := environ.get("WEBSITE_SITE_NAME"):
        return site
    root = environ.get("AzureWebJobsScriptRoot")
    return (Path(root).name if root else "") or "function-app"
