"""
OpenTelemetry's declarative configuration: the file that `OTEL_CONFIG_FILE` names.

`opentelemetry-configuration` (0.66b2) reads it, and makes of it what sends, samples and limits. It
is loaded where the setting is there, and installed with funcscope's extra `configuration`.
"""

from __future__ import annotations

import atexit
import logging
import re
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from funcscope.telemetry._errors import TelemetryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

SETTING = "OTEL_CONFIG_FILE"
EXPORTER = "the configuration file's exporters"
"""What stands for the file's exporters among the names of a signal's."""

_PACKAGE = "opentelemetry.configuration"
_PROVIDERS = {"traces": "tracer", "logs": "logger", "metrics": "meter"}
_NOT_READ = re.compile(
    "FUNCSCOPE_(QUEUE|SPOOL|KEEP)_.+|FUNCSCOPE_DROP_FIRST|APPLICATIONINSIGHTS_CONNECTION_STRING"
    "|OTEL_(TRACES|LOGS|METRICS)_EXPORTER|OTEL_TRACES_SAMPLER.*|OTEL_EXPORTER_OTLP_.+"
    "|OTEL_PROPAGATORS|OTEL_PYTHON_ID_GENERATOR|OTEL_METRICS_EXEMPLAR_FILTER"
    "|OTEL_(BLRP|METRIC_EXPORT)_.+"
    "|OTEL_((SPAN|EVENT|LINK|LOGRECORD)_)?(ATTRIBUTE|EVENT|LINK)_.+_LIMIT"
)
"""
The settings that a file stands in the place of, unless it takes their values.

`OTEL_BSP_*` are none: the SDK reads them for what the file's batches of spans leave open
(`configuration/_tracer_provider.py`, 0.66b2; those of log records and metrics have defaults there).
"""

_logger = logging.getLogger("funcscope.telemetry")
_seen_to: list[str] = []


class ConfigFile(NamedTuple):
    """
    What a file declares.

    Attributes:
        model: The package's own; its `__repr__` would show headers, so this one has none of it.
        made: What sends spans, once it was made.
    """

    model: Any  # OpenTelemetryConfiguration, which may not be installed
    made: list[SpanProcessor]

    def __repr__(self) -> str:
        """Show nothing of it, as it may hold keys."""
        return "ConfigFile()"

    @property
    def signals(self) -> list[str]:
        """The signals that it has a provider for, of `traces`, `logs` and `metrics`."""
        if self.model.disabled:
            return []
        return [signal for signal in _PROVIDERS if self._section(signal) is not None]

    def propagates(self, name: str) -> bool:
        """Tell whether a propagator is among its own, of which there are none unless it says so."""
        declared = self.model.propagator
        if declared is None:
            return False
        listed = [each.strip() for each in (declared.composite_list or "").split(",")]
        has_it = [getattr(each, name, None) is not None for each in declared.composite or ()]
        return any(has_it) or name in listed

    def resource(self, own: Resource) -> Resource:
        """Add what it says of the resource, which wins, to what is known without it."""
        if self.model.resource is None:
            return own
        said: Resource = _functions().create_resource(self.model.resource)
        name = str(said.attributes.get("service.name", ""))
        if not name.startswith("unknown_service"):
            return own.merge(said)
        kept = {k: v for k, v in said.attributes.items() if k != "service.name"}
        return own.merge(type(said)(kept, said.schema_url))

    def tracer_provider(
        self, resource: Resource
    ) -> tuple[TracerProvider, SpanProcessor, int | None]:
        """
        Make its tracer provider, without what it sends spans by, that, and the longest text.

        The SDK cuts texts when they are set, and what is left of a secret may not look like one: so
        they are to be cut after that is taken out.
        """
        section, limits = self._section("traces"), self.model.attribute_limits
        own = section.limits and section.limits.attribute_value_length_limit
        common = limits and limits.attribute_value_length_limit
        bare = replace(
            section,
            processors=[],
            limits=section.limits and replace(section.limits, attribute_value_length_limit=None),
        )
        endless = limits and replace(limits, attribute_value_length_limit=None)
        provider: TracerProvider = self._made("traces", bare, resource, endless)
        return provider, self.span_processor(), own if own is not None else common

    def span_processor(self) -> SpanProcessor:
        """Make what it sends spans by, once: exporters have threads, and may be asked before."""
        if not self.made:
            nothing = import_module("opentelemetry.sdk.resources").Resource(
                {}
            )  # each span has its own
            full = self._made("traces", self._section("traces"), nothing)
            self.made.append(full._active_span_processor)  # noqa: SLF001
        return self.made[0]

    def logger_provider(self, resource: Resource) -> tuple[LoggerProvider, LogRecordProcessor]:
        """Make its logger provider, without what it sends records by, and that."""
        section, limits = self._section("logs"), self.model.attribute_limits
        provider = self._made("logs", replace(section, processors=[]), resource, limits)
        full = self._made("logs", section, resource)
        return provider, full._multi_log_record_processor  # noqa: SLF001

    def meter_provider(self, resource: Resource) -> MeterProvider:
        """Make its meter provider, with its readers."""
        return cast("MeterProvider", self._made("metrics", self._section("metrics"), resource))

    @staticmethod
    def readers(provider: MeterProvider) -> Sequence[MetricReader]:
        """Return the readers of a meter provider that was made here."""
        readers: Sequence[MetricReader] = cast("Any", provider)._metric_readers  # noqa: SLF001
        return readers

    def _section(self, signal: str) -> Any:
        return getattr(self.model, f"{_PROVIDERS[signal]}_provider")

    def _made(self, signal: str, section: Any, resource: Resource, *limits: Any) -> Any:
        create = getattr(_functions(), f"create_{_PROVIDERS[signal]}_provider")
        try:
            provider = create(section, resource, *limits)
        except Exception as error:
            raise TelemetryError(
                f"{SETTING} asks for what there is not: {_reason(error)}"
            ) from error
        atexit.unregister(provider.shutdown)  # within a budget, as all of ours
        return provider


def read_config_file(environ: Mapping[str, str], problems: list[str]) -> ConfigFile | None:
    """Read the file that the setting names; None where there is none, or it cannot be used."""
    path = environ.get(SETTING, "").strip()
    if not path:
        return None
    file = _read(path)
    if isinstance(file, Exception):
        problems.append(
            f"{SETTING}={path!r} is not used, and other OTEL_* settings hold: {_reason(file)}"
        )
        return None
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    unread = [name for name in sorted(environ) if _NOT_READ.fullmatch(name) and name not in text]
    if unread and not file.model.disabled:
        problems.append(f"not read, as {SETTING} takes their place: {', '.join(unread)}")
    if file.model.disabled:
        problems.append(f"nothing is recorded: {SETTING}={path!r} says disabled")
    elif not file.signals:
        problems.append(f"nothing is exported: {SETTING}={path!r} has no provider")
    return file


def apply_early(environ: Mapping[str, str]) -> None:
    """Turn on the instrumentations that the file names, and set its propagators; once."""
    path = environ.get(SETTING, "").strip()
    if not path or path in _seen_to:
        return
    _seen_to.append(path)  # funcscope itself may be among them
    file = _read(path)
    if isinstance(file, Exception) or file.model.disabled:  # `read_config_file` says so
        return
    try:
        _functions().configure_propagator(file.model.propagator)
    except Exception as error:  # noqa: BLE001  (said)
        _logger.error("propagators of %s=%r are not set: %s", SETTING, path, _reason(error))  # noqa: TRY400
    instrumentation = import_module(f"{_PACKAGE}.instrumentation")
    instrumentation.configure_instrumentation(file.model.instrumentation_development)


def leaves_out(environ: Mapping[str, str], instrumentation: str) -> bool:
    """Tell whether the file switches an instrumentation off."""
    path = environ.get(SETTING, "").strip()
    file = _read(path) if path else None
    if not isinstance(file, ConfigFile):
        return False
    declared = file.model.instrumentation_development
    python = cast("dict[str, Any]", (declared and declared.python) or {})
    options: Any = python.get(instrumentation)
    return hasattr(options, "get") and not options.get("enabled", True)


@cache
def _read(path: str) -> ConfigFile | Exception:
    """Load a file; return why where that fails, without the package's own words of what it has."""
    loader = logging.getLogger(f"{_PACKAGE}.file._loader")
    loader.addFilter(_is_ours_to_say)
    try:
        return ConfigFile(_functions().load_config_file(path), [])
    except Exception as error:  # noqa: BLE001  (said)
        return error
    finally:
        loader.removeFilter(_is_ours_to_say)


def _is_ours_to_say(_record: logging.LogRecord) -> bool:
    return False


def _functions() -> Any:
    return import_module(f"{_PACKAGE}.file")


def _reason(error: Exception) -> str:
    """Say what is wrong with a file, and nothing that it holds: that may be a key."""
    if isinstance(error, ImportError):
        return f'it needs {_PACKAGE}: pip install "funcscope[configuration]" ({error})'
    schema: Any = error.__cause__  # a ValidationError of jsonschema's, whose message has the value
    if hasattr(schema, "absolute_path"):
        place = ".".join(map(str, schema.absolute_path)) or "its top"
        return f"{place} does not match its schema ({schema.validator})"
    return str(error).partition("\n")[0]
