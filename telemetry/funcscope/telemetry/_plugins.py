"""
What other packages register for settings of OpenTelemetry to name: exporters, samplers and more.

They are entry points, in the groups that OpenTelemetry Python looks in (SDK 1.45,
`sdk/_configuration/__init__.py`, `sdk/resources/__init__.py`; API 1.45, `propagate/__init__.py`).
To find one, the metadata of all installed packages is read, so that is done at the start alone, and
only for a name that is not built in. What one lacks is found out then, and costs it alone.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._sdk_settings import DETECTORS, sdk_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.sdk.resources import Resource
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
                made = _made(known[name], *args)
                _check(made, known[name], kind.__name__, _abstract(kind), kind=kind)
            except TelemetryError as error:
                _logger.error("%s=%r is not used: %s; %s", self.name, name, error, self.otherwise)  # noqa: TRY400  (says all)
            else:
                return made
        return None

    def unknown(self, name: str, known: Mapping[str, EntryPoint]) -> str:
        """Say of a name that nobody has registered what there is."""
        there_are = ", ".join(dict.fromkeys((*self.built_in, *sorted(known))))
        return f"{self.name} names {name!r}, which is not installed: there are {there_are}"


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
    DETECTORS,
    "opentelemetry_resource_detector",
    ("otel", "*"),
    "it is left out",
)
_PROPAGATORS = PluginSetting(
    "OTEL_PROPAGATORS",
    "opentelemetry_propagator",
    ("tracecontext", "baggage", "none"),
    "it is left out",
)
_CONFIG_FILE = "OTEL_CONFIG_FILE"
"""Has propagators of its own, or none."""
_PROPAGATE = "opentelemetry.propagate"
"""Loads all propagators when it is imported, as instrumentations do, and fails with any of them."""


def plugin_problems(environ: Mapping[str, str]) -> Iterator[str]:
    """Say of each name in these settings that nobody has registered what there is."""
    for setting in (_SAMPLER, _ID_GENERATOR, _DETECTORS):
        others = setting.others(environ)
        known = installed(setting.group) if others else {}
        for name in others:
            if name not in known:
                yield f"{setting.unknown(name, known)}; {setting.otherwise}"


def mend_propagators(environ: Mapping[str, str] = os.environ) -> None:
    """
    Leave out of the process's environment the propagators that are not there, or not whole.

    OpenTelemetry would fail on them where it loads them, and with that who imports it: the
    instrumentations do, and with one that is not whole the calls that they see.
    """
    names = [name.strip() for name in environ.get(_PROPAGATORS.name, "").split(",")]
    if not any(_PROPAGATORS.others(environ)):
        return
    known = installed(_PROPAGATORS.group)
    wrong = {name: problem for name in names if (problem := _of_propagator(name, known))}
    if not wrong:
        return
    left = ",".join(name for name in names if name and name not in wrong)
    has_default = not left and not environ.get(_CONFIG_FILE)
    outcome = "tracecontext,baggage hold" if has_default else _PROPAGATORS.otherwise
    if _PROPAGATE in sys.modules:
        outcome = "it was loaded before, and calls may fail"
    problem = "; ".join(wrong.values())
    sdk_environment.replace(_PROPAGATORS.name, left or None, f"{problem}; {outcome}")


def _of_propagator(name: str, known: Mapping[str, EntryPoint]) -> str:
    """Return what is wrong with a propagator; empty where nothing is."""
    if not name or name.lower() in _PROPAGATORS.built_in:
        return ""
    if name not in known:
        return _PROPAGATORS.unknown(name, known)
    try:
        _check(_made(known[name]), known[name], "propagator", ("inject", "extract"))
    except TelemetryError as error:
        return f"{_PROPAGATORS.name}={name!r} is not used: {error}"
    return ""


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


def detect(names: str) -> Resource:
    """
    Ask the resource detectors of these names, as `Resource.create` does (SDK 1.45).

    That would end with one that raises, or returns no resource: here it costs itself alone. The SDK
    gets the names of the others: it asks them again, and shows a traceback for each it cannot find.
    """
    from opentelemetry.sdk import resources
    from opentelemetry.sdk.version import __version__

    base = resources.Resource({
        resources.TELEMETRY_SDK_LANGUAGE: "python",
        resources.TELEMETRY_SDK_NAME: "opentelemetry",
        resources.TELEMETRY_SDK_VERSION: __version__,
    })  # fmt: skip
    known = installed(_DETECTORS.group)
    detectors = [_Detector(known[name]) for name in _detectors(names, known)]
    found = resources.get_aggregated_resources(cast("Any", detectors), base)
    whole = [each.name for each in detectors if not each.has_failed]
    wanted = {name.strip() for name in names.split(",")} - {"*"}
    is_right = len(whole) == len(detectors) and wanted <= known.keys()
    sdk_environment.release_detectors(names if is_right else ",".join(whole))
    return found


def _detectors(wanted: str, known: Mapping[str, EntryPoint]) -> list[str]:
    """List the names of detectors, later ones winning: the SDK's own first and last."""
    names: list[str] = []
    for name in (part.strip() for part in wanted.split(",")):
        names += sorted(known.keys() - {"otel"}) if name == "*" else [name]
    first = [] if "service_instance" in names else ["service_instance"]
    return [name for name in dict.fromkeys((*first, *names, "otel")) if name in known]


class _Detector:
    """
    A resource detector that finds nothing where somebody's fails.

    Args:
        entry: What makes somebody's.

    Attributes:
        name: Its name.
        has_failed: Whether it has.
    """

    raise_on_error = False

    def __init__(self, entry: EntryPoint) -> None:
        self.name = entry.name
        self.has_failed = False
        self._detector: Any = None
        try:
            self._detector = _made(entry)
            _check(self._detector, entry, "resource detector", ("detect",))
        except TelemetryError as error:
            self._fail(str(error))

    def __repr__(self) -> str:
        """Return its name, for the SDK to say that it takes too long."""
        return repr(self.name)

    def detect(self) -> Resource:
        """Return what it finds; called on a thread of a pool."""
        from opentelemetry.sdk.resources import Resource

        try:
            found = Resource.get_empty() if self.has_failed else self._detector.detect()
        except BaseException as error:  # noqa: BLE001  (logged; somebody's plug-in)
            self._fail(f"it fails: {error!r}")
            return Resource.get_empty()
        if isinstance(found, Resource):
            return found
        self._fail(f"it returns {type(found).__name__}, which is no Resource")
        return Resource.get_empty()

    def _fail(self, problem: str) -> None:
        self.has_failed = True
        otherwise = _DETECTORS.otherwise
        _logger.error("%s=%r is not used: %s; %s", DETECTORS, self.name, problem, otherwise)


def exporters(signal: str) -> dict[str, EntryPoint]:
    """Return the registered exporters of `traces`, `logs` or `metrics`, by name."""
    return installed(f"opentelemetry_{signal}_exporter")


def make_exporter(signal: str, name: str) -> object:
    """
    Make a registered exporter, or what is asked for metrics.

    Raises:
        TelemetryError: None has that name, or it cannot be made, or what is made lacks a method.
    """
    entry = exporters(signal).get(name)
    if entry is None:
        raise TelemetryError("no installed package has registered it")
    made = _made(entry)
    if signal != "metrics":
        _check(made, entry, "exporter", ("export", "shutdown"))
        return made
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader

    if not isinstance(made, MetricReader):
        _check(made, entry, "MetricExporter", _abstract(MetricExporter), kind=MetricExporter)
    return made


def _made(entry: EntryPoint, *args: object) -> object:
    """
    Make what an entry point names.

    Raises:
        TelemetryError: It fails.
    """
    try:
        return cast("Callable[..., object]", entry.load())(*args)
    except Exception as error:
        raise TelemetryError(f"{entry.value} fails: {error!r}") from error


def _check(
    made: object, entry: EntryPoint, noun: str, methods: Sequence[str], *, kind: type = object
) -> None:
    """
    See to it that what was made can be used.

    Raises:
        TelemetryError: It lacks a method, or what they are derived from.
    """
    lacking = [f"{name}()" for name in methods if not _has(made, name)]
    if lacking:
        raise TelemetryError(
            f"{entry.value} makes {type(made).__name__}, which is no {noun}: "
            f"it lacks {', '.join(lacking)}"
        )
    if not isinstance(made, kind):
        raise TelemetryError(
            f"{entry.value} makes {type(made).__name__}, which is not derived from {kind.__name__}"
        )


def _abstract(kind: type) -> list[str]:
    """List the methods that a class leaves to those derived from it."""
    return sorted(cast("frozenset[str]", getattr(kind, "__abstractmethods__", ())))


def _has(made: object, name: str) -> bool:
    """Tell whether an object has a method that does something: that of `SpanExporter` does not."""
    from opentelemetry.sdk.trace.export import SpanExporter

    try:
        method = getattr(made, name)
    except Exception:  # noqa: BLE001  (somebody's plug-in)
        return False
    return callable(method) and getattr(method, "__func__", None) is not SpanExporter.export


def installed(group: str) -> dict[str, EntryPoint]:
    """Return what is registered in a group, by name; where two have one, the first on the path."""
    return {entry.name: entry for entry in reversed(tuple(entry_points(group=group)))}
