"""
Connection strings by the names that bindings give.

The names are looked up as the host does: `AzureWebJobs<name>` before `<name>`, and none means
`AzureWebJobsStorage`. Source: azure-webjobs-sdk, `WebJobsConnectionStringExtensions.cs`; Azurite's
account and ports are in its README.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib.host._storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "AzureWebJobsStorage"
_PREFIX = "AzureWebJobs"
_DEVELOPMENT = "usedevelopmentstorage"
_PORTS = {"BlobEndpoint": 10000, "QueueEndpoint": 10001}
_ACCOUNT = "devstoreaccount1"
# No secret: the key of every emulator, which its README prints.
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_IDENTITY = ("serviceUri", "queueServiceUri", "blobServiceUri", "accountName")
_EXAMPLE = f'"{DEFAULT}": "UseDevelopmentStorage=true" for Azurite'


def connection_name(binding: Mapping[str, object]) -> str:
    """Return the name of a binding's connection; `Storage` and none are the host's own."""
    name = str(binding.get("connection") or "").strip()
    return DEFAULT if name in ("", "Storage") else name


def find_connection(name: str, settings: Mapping[str, str]) -> str:
    """
    Return the connection string of a name, the emulator's written out.

    Raises:
        StorageError: The setting is missing, is no connection string, or means an identity.
    """
    found = next((n for n in (_PREFIX + name, name) if settings.get(n, "").strip()), None)
    if found is None:
        _refuse_identity(name, settings)
        raise StorageError(
            f"the setting {name!r} is not set: put a connection string into local.settings.json, "
            f"such as {_EXAMPLE}"
        )
    return _written_out(found, settings[found])


def _refuse_identity(name: str, settings: Mapping[str, str]) -> None:
    wanted = {f"{n}__{key}".lower() for n in (_PREFIX + name, name) for key in _IDENTITY}
    found = next((setting for setting in settings if setting.lower() in wanted), None)
    if found is not None:
        raise StorageError(
            f"the setting {found!r} connects by an identity, which is not supported here: "
            f"set {name!r} to a connection string, such as {_EXAMPLE}"
        )


def _written_out(name: str, value: str) -> str:
    """Return a connection string with the account and the endpoints of an emulator in it."""
    parts = _parts(name, value)
    if parts.pop(_DEVELOPMENT, "").lower() != "true":
        return value.strip()
    proxy = parts.pop("developmentstorageproxyuri", "http://127.0.0.1").rstrip("/")
    endpoints = {
        key: parts.get(key.lower(), f"{proxy}:{port}/{_ACCOUNT}") for key, port in _PORTS.items()
    }
    account = {"AccountName": _ACCOUNT, "AccountKey": _KEY, **endpoints}
    return ";".join(f"{key}={value}" for key, value in account.items())


def _parts(name: str, value: str) -> dict[str, str]:
    """Split a connection string; its own value is never in a message, as it holds a key."""
    pairs = [part.partition("=") for part in value.strip().strip(";").split(";")]
    if any(not equals for _, equals, _ in pairs):
        raise StorageError(
            f"the setting {name!r} is not a connection string: it has a part without '=', "
            f"write for example {_EXAMPLE}"
        )
    return {key.strip().lower(): text for key, _, text in pairs}
