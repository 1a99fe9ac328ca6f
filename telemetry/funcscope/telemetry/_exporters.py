"""OpenTelemetry's own OTLP exporters, loaded where they are needed: it takes long."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from funcscope.telemetry._errors import TelemetryError


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
    package = "opentelemetry.exporter.otlp.proto.grpc"
    try:
        exporter = getattr(import_module(f"{package}.{module}"), name)
    except ImportError as error:
        raise TelemetryError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL=grpc needs {package}, which cannot be imported "
            f'({error}): pip install "funcscope[grpc]", or use http/protobuf'
        ) from error
    return cast("object", exporter())
