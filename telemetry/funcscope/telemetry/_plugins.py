"""
What other packages register for settings of OpenTelemetry to name: exporters, samplers and more.

They are entry points, in the groups that OpenTelemetry Python looks in (SDK 1.45,
`sdk/_configuration/__init__.py`, `sdk/resources/__init__.py`; API 1.45, `propagate/__init__.py`).
To find one, the metadata of all installed packages is read, so that is done at the start alone, and
only for a name that is not built in.
"""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from funcscope.telemetry._errors import TelemetryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import Sampler

_logger = logging.getLogger("funcscope.telemetry")


class PluginSetting(NamedTuple):
    """
    A setting that may name what another package has registered.

    Attributes:
        name: The setting.
        group: The group of the entry points.
        built_in: The names that OpenTelemetry knows without them.
        otherwise: What holds where a name means nothing, for people.
    """

    name: str
    group: str
    built_in: tuple[str, ...]
    otherwise: str

    def others(self, environ: Mapping[str, str]) -> list[str]:
        """List the names that it has and that are not built in."""
        names = (name.strip() for name in environ.get(self.name, "").split(","))
        return [name for name in names if name and name.lower() not in self.built_in]

    def make(self, kind: type, environ: Mapping[str, str], *args: object) -> Any:
        """Make the instance of a class that it names; None where it is built in, or fails."""
        known = installed(self.group) if self.others(environ) else {}
        for name in self.others(environ):
            if name not in known:  # `plugin_problems` has said so
                continue
            try:
                made = cast("Callable[..., object]", known[name].load())(*args)
            except Exception as error:  # noqa: BLE001  (logged; somebody's plug-in)
                problem = repr(error)
            else:
                if isinstance(made, kind):
                    return made
                problem = f"it is no {kind.__name__}"
            _logger.error("%s=%r is not used: %s; %s", self.name, name, problem, self.otherwise)
        return None


_SAMPLER = PluginSetting(
    "OTEL_TRACES_SAMPLER",
    "opentelemetry_traces_sampler",
    (
        "always_on", "always_off", "traceidratio",
        "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
    ),
    "parentbased_always_on holds",
)  # fmt: skip
_ID_GENERATOR = PluginSetting(
    "OTEL_PYTHON_ID_GENERATOR", "opentelemetry_id_generator", ("random",), "ids are random"
)
_DETECTORS = PluginSetting(
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
    "opentelemetry_resource_detector",
    ("otel", "*"),
    "it is left out",
)
_PROPAGATORS = PluginSetting(
    "OTEL_PROPAGATORS",
    "opentelemetry_propagator",
    ("tracecontext", "baggage", "none"),
    "what loads OpenTelemetry's propagators, as its instrumentations do, fails",
)


def plugin_problems(environ: Mapping[str, str]) -> Iterator[str]:
    """Say of each name in these settings that nobody has registered what there is."""
    for setting in (_SAMPLER, _ID_GENERATOR, _DETECTORS, _PROPAGATORS):
        others = setting.others(environ)
        known = installed(setting.group) if others else {}
        for name in others:
            if name not in known:
                there_are = ", ".join(dict.fromkeys((*setting.built_in, *sorted(known))))
                yield (
                    f"{setting.name} names {name!r}, which is not installed: "
                    f"there are {there_are}; {setting.otherwise}"
                )


def make_sampler(environ: Mapping[str, str]) -> Sampler | None:
    """Make the sampler that is none of the SDK's, which that reads itself: None then."""
    from opentelemetry.sdk.trace import sampling

    if not _SAMPLER.others(environ):
        return None
    argument = environ.get("OTEL_TRACES_SAMPLER_ARG")
    made = _SAMPLER.make(sampling.Sampler, environ, argument)
    return cast("Sampler", made or sampling.DEFAULT_ON)


def make_id_generator(environ: Mapping[str, str]) -> IdGenerator | None:
    """Make what generates ids where that is not the SDK's own."""
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    return cast("IdGenerator | None", _ID_GENERATOR.make(IdGenerator, environ))


def exporters(signal: str) -> dict[str, EntryPoint]:
    """Return the registered exporters of `traces`, `logs` or `metrics`, by name."""
    return installed(f"opentelemetry_{signal}_exporter")


def make_exporter(signal: str, name: str) -> object:
    """
    Make a registered exporter.

    Raises:
        TelemetryError: None has that name.
    """
    entry = exporters(signal).get(name)
    if entry is None:
        raise TelemetryError("no installed package has registered it")
    return cast("Callable[[], object]", entry.load())()


def installed(group: str) -> dict[str, EntryPoint]:
    """Return what is registered in a group, by name; where two have one, the first on the path."""
    return {entry.name: entry for entry in reversed(tuple(entry_points(group=group)))}
