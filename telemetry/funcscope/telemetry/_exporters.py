"""OpenTelemetry's own OTLP exporters, and integrations', loaded where needed: it takes long."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar, cast

from funcscope.telemetry import _azure_monitor
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._otlp_settings import GRPC, NEEDS_GRPC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from funcscope.telemetry._setup import Setup

T = TypeVar("T")

INTEGRATIONS: Mapping[str, str] = {_azure_monitor.NAME: _azure_monitor.EXPORTERS}
"""Exporters that integrations make: what a setting calls them, and the module that has
`make_exporter(signal, setup)`."""

_logger = logging.getLogger("funcscope.telemetry")


def each_exporter(
    signal: str, names: Sequence[str], make: Callable[[str], T]
) -> Iterator[tuple[str, T]]:
    """
    Make what each exporter of a signal needs; an integration's that fails costs itself alone.

    Raises:
        TelemetryError: One of OpenTelemetry's own cannot be made.
    """
    for name in names:
        try:
            made = make(name)
        except Exception:
            if name not in INTEGRATIONS:
                raise
            _logger.exception("%s do not go to %s", signal, name)
        else:
            yield name, made


def integrated_exporter(setup: Setup, name: str, signal: str) -> object:
    """Make an integration's exporter of a signal."""
    return cast("object", import_module(INTEGRATIONS[name]).make_exporter(signal, setup))


def otlp_exporter(protocol: str, module: str, name: str) -> object:
    """
    Make an exporter.

    Args:
        protocol: `http/protobuf` or `grpc`.
        module: Its module, below the protocol's package.
        name: Its class.

    Raises:
        TelemetryError: It is gRPC's, and its package cannot be imported.
    """
    if protocol == "grpc":
        return _grpc(module, name)
    package = "opentelemetry.exporter.otlp.proto.http"
    return cast("object", getattr(import_module(f"{package}.{module}"), name)())


def _grpc(module: str, name: str) -> object:
    """Make an exporter of the `grpc` extra, the transport that has to be asked for."""
    try:
        exporter = getattr(import_module(f"{GRPC}.{module}"), name)
    except ImportError as error:
        raise TelemetryError(f"{NEEDS_GRPC} ({error})") from error
    return cast("object", exporter())
