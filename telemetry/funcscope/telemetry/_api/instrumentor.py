"""
funcscope as an OpenTelemetry instrumentation, `azure_functions`: for those who find it by that.

`opentelemetry-instrument`, distros and configuration files load it by its entry point. None needs
`opentelemetry-instrumentation` of ours: what it is without, is what those call
(`opentelemetry/configuration/instrumentation.py`, 0.66b2).
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from funcscope.extensions.integration import OnceLog, is_switched_off, switch
from funcscope.telemetry._api.activation import activate, is_active
from funcscope.telemetry._config.options import check_options
from funcscope.telemetry._errors import TelemetryError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from funcscope.telemetry._config.options import Value

_logger = logging.getLogger("funcscope.telemetry")
_once = OnceLog(_logger, logging.ERROR)


class _NoBase:
    """Stands for `BaseInstrumentor` where its package is not installed."""

    is_instrumented_by_opentelemetry = False

    def instrument(self, **options: object) -> None:
        """Turn it on."""
        self._instrument(**options)

    def uninstrument(self, **options: object) -> None:
        """Turn it off."""
        self._uninstrument(**options)

    def _instrument(self, **options: object) -> None: ...
    def _uninstrument(self, **options: object) -> None: ...


def _base() -> Any:
    try:
        return import_module("opentelemetry.instrumentation.instrumentor").BaseInstrumentor
    except ImportError:
        return _NoBase


class AzureFunctionsInstrumentor(_base()):  # type: ignore[misc]  # whichever is there
    """
    Turns telemetry of Azure Functions on, as `import funcscope.auto` does, and off.

    Its options are those of `configure()`; others are named in the log, and change nothing: an
    exception would keep `opentelemetry-instrument` from all other instrumentations. So are those
    that come after the first invocation has started.
    """

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether invocations are recorded, whatever has turned that on."""
        return is_active() and not is_switched_off(_extension())

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return what has to be installed: what funcscope itself needs."""
        return ("azure-functions >= 1.20",)

    def uninstrument(self, **options: object) -> None:
        """Turn it off, whatever has turned it on: its base knows of its own `instrument` alone."""
        base: Any = super()  # whichever is there
        if self.is_instrumented_by_opentelemetry and not base.is_instrumented_by_opentelemetry:
            self._uninstrument(**options)
        else:
            base.uninstrument(**options)

    def _instrument(self, **options: object) -> None:
        try:
            activate(_known(options) or None)
        except TelemetryError as error:  # the app may ask for it in a function
            _once.log("instrument() goes without its options: %s", str(error), key="late")
        switch(_extension(), is_on=True)

    def _uninstrument(self, **_options: object) -> None:
        """Record no invocation that begins from now on; providers and worker hooks stay."""
        switch(_extension(), is_on=False)


def _extension() -> type:
    return cast("type", import_module("funcscope.telemetry._api.extension").TelemetryExtension)


def _known(options: Mapping[str, object]) -> dict[str, Value]:
    """Return the options that there are; name the others in the log."""
    known: dict[str, Value] = {}
    for name, value in options.items():
        try:
            known.update(check_options({name: value}))
        except TelemetryError as error:
            _logger.error("azure_functions goes without it: %s", error)  # noqa: TRY400  (says all)
    return known
