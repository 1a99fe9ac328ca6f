"""
Turn on OpenTelemetry's instrumentations of libraries, by name, when the app begins to be imported.

An instrumentation replaces what a library makes its clients of, so it has to be there before the
app makes them: SQLAlchemy's finds no engine that exists (`_wrap_create_engine`, 0.66b1). None needs
the SDK: tracers and meters of the API's stand-ins become the providers' own once these are set
(`ProxyTracer`, `_ProxyMeter`, API 1.45). docs/decisions/037, docs/decisions/053.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, requires, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, cast

import wrapt
from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

    from opentelemetry.sdk.resources import Resource

SETTING = "FUNCSCOPE_INSTRUMENT"
DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
"""Names that stay off whatever asks for them, as in `opentelemetry-instrument`; `*` is all."""

ALL = "auto"
"""Asks for all that is installed, but `_NOT_BY_THEMSELVES`, and for `AZURE_SDK`."""

AZURE_SDK = "azure-sdk"
"""What Azure's own clients do, by the name that azure-monitor-opentelemetry has for it."""

_logger = logging.getLogger("funcscope.telemetry")

_GROUP = "opentelemetry_instrumentor"
_OURS = "azure-functions"
_PACKAGES = ("opentelemetry-instrumentation-", "opentelemetry.instrumentation.")

_NOT_BY_THEMSELVES = frozenset({
    # Their server span would be the request's second: it has the invocation's (decision 020).
    "aiohttp-server", "asgi", "django", "falcon", "fastapi", "flask", "pyramid", "starlette",
    "tornado", "wsgi",
    # Another platform's invocations.
    "aws-lambda",
    # Its handler would take log records past levels and fields that are set for ours.
    "logging",
})  # fmt: skip


class Instrumentor(Protocol):
    """The part used of `opentelemetry.instrumentation.instrumentor.BaseInstrumentor`."""

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether it is on; there is one object for each instrumentation."""
        ...

    def instrument(self, **options: object) -> object:
        """Turn it on; with `raise_exception_on_conflict`, raise where its library does not fit."""
        ...

    def uninstrument(self) -> object:
        """Turn it off."""
        ...


class Instrumentations:
    """
    The instrumentations that an app asks for, each seen to once in a process.

    An instrumentation that an app turns off again stays off, and a missing one is logged once.
    None is turned on that `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` names, whoever asks for it.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._on: set[str] = set()
        self._given: Sequence[str] | None = None

    def turn_on_early(
        self, given: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        """
        Turn on what can be while the app is imported.

        A missing one is not logged yet, as an app may change `sys.path`: `turn_on` does.

        Args:
            given: The names that code gives, which win over the app setting's; None where it
                gives none now.
            environ: The app settings.
        """
        if given is not None:
            self._given = given
        names = environ.get(SETTING, "").split(",") if self._given is None else self._given
        self._see_to(self._unseen(names))

    def turn_on(self, names: Iterable[str]) -> None:
        """
        Turn on installed instrumentations; what cannot be is named in the log, and the app runs.

        Args:
            names: Names of the entry points, or of the packages: `requests` for
                `opentelemetry-instrumentation-requests`, or that; in any case, with hyphens or
                underscores; and `ALL`, `AZURE_SDK`. Only these are loaded. One that is on
                already stays as it is.
        """
        wanted = self._unseen(names)
        try:
            problems = self._see_to(wanted)
        except Exception:  # what is installed cannot be found out
            _logger.exception("instrumentations are not turned on")
            return
        if ALL in wanted:
            _logger.info("%s", self._describe())
        self._seen.update(wanted, problems)
        for problem in problems.values():
            _logger.warning("%s", problem)

    def _describe(self) -> str:
        """Say what is on, of all."""
        if self._on:
            return f"instrumentations are on: {', '.join(sorted(self._on))}"
        disabled = os.environ.get(DISABLED, "").strip()
        return f"no instrumentation is on: {DISABLED} is {disabled!r}"

    def _unseen(self, names: Iterable[str]) -> list[str]:
        wanted = dict.fromkeys(_plain(name) for name in names if name.strip())
        return [name for name in wanted if name not in self._seen]

    def _see_to(self, wanted: Sequence[str]) -> dict[str, str]:
        """Turn on what was not seen to; return what is wrong with the others, by name."""
        if not wanted:
            return {}
        installed = {_plain(entry.name): entry for entry in entry_points(group=_GROUP)}
        installed.pop(_OURS, None)
        disabled = {_plain(name) for name in os.environ.get(DISABLED, "").split(",")}
        named = {*_targets([name for name in wanted if name != ALL], installed)}
        problems: dict[str, str] = {}
        if ALL in wanted and not installed:
            problems[ALL] = f"no instrumentation is installed: {_INSTALL_COMMON}"
        for name in self._unseen(_targets(wanted, installed)):
            if disabled & {name, "*"}:
                if name in named:
                    problems[name] = f"instrumentation {name!r} stays off, as {DISABLED} says"
                continue
            if name == AZURE_SDK:
                wrapt.register_post_import_hook(_trace_azure_sdk, _AZURE_SETTINGS)
            elif name not in installed:
                problems[name] = _missing(name, installed)
                continue
            elif (error := _turn_on(installed[name])) is not None:
                if name in named or not _is_without_library(error):
                    problems[name] = f"instrumentation {name!r} is left out: {error}"
                continue
            self._seen.add(name)
            self._on.add(name)
        return problems


instrumentations = Instrumentations()
"""Those of this process."""


def _targets(wanted: Sequence[str], installed: Mapping[str, EntryPoint]) -> Iterator[str]:
    """Return what the names stand for: that entry point, those of that package, or all."""
    for name in wanted:
        if name == ALL:
            yield from sorted(installed.keys() - _NOT_BY_THEMSELVES)
            yield AZURE_SDK
        elif name in installed or name == AZURE_SDK:
            yield name
        else:
            yield from _of_package(name, installed) or [name]


def _of_package(name: str, installed: Mapping[str, EntryPoint]) -> list[str]:
    """Return the entry points of a package: that of gRPC has four, that of Kafka another name."""
    packages = {entry: point.dist for entry, point in installed.items()}
    return [
        entry for entry, dist in packages.items() if dist is not None and _plain(dist.name) == name
    ]


def _turn_on(entry: EntryPoint) -> Exception | None:
    """Return what keeps it from being turned on, where that may change; log what is broken."""
    try:
        instrumentor = cast("Callable[[], Instrumentor]", entry.load())()
        if not instrumentor.is_instrumented_by_opentelemetry:
            options = _OPTIONS.get(_plain(entry.name), dict)()
            instrumentor.instrument(raise_exception_on_conflict=True, **options)
            _give_way(instrumentor)
    except ImportError as error:
        return error
    except Exception as error:
        if _is_conflict(error):
            return error
        _logger.exception("instrumentation %r could not be turned on", entry.name)
    return None


def _give_way(instrumentor: Instrumentor) -> None:
    """
    Let the app's own `instrument()` win, with its hooks and options.

    OpenTelemetry's would say "already instrumented", and leave them out.
    """
    factory = logging.getLogRecordFactory()

    def instrument(**options: object) -> object:
        vars(instrumentor).pop("instrument", None)
        if instrumentor.is_instrumented_by_opentelemetry:
            current = logging.getLogRecordFactory()
            try:
                instrumentor.uninstrument()
            except Exception:
                _logger.exception("%s cannot be turned off", type(instrumentor).__name__)
            if current is not factory:  # that of `logging` puts back the one that it found
                logging.setLogRecordFactory(current)
        return instrumentor.instrument(**options)

    with suppress(TypeError):  # it has slots
        vars(instrumentor)["instrument"] = instrument


class _Resource:
    """A resource for the instrumentation of `logging` to read, before there is a provider's."""

    def __init__(self) -> None:
        module = import_module("funcscope.telemetry._config.resource")
        self._own = {"service.name": cast("str", module.service_name(os.environ))}

    @property
    def attributes(self) -> Mapping[str, object]:
        """Return the provider's, where one is set, or those that funcscope's will have."""
        resource = getattr(trace.get_tracer_provider(), "resource", None)
        return self._own if resource is None else cast("Resource", resource).attributes


class _ProviderStandIn:
    """Stands for the provider of spans that will be set; nothing asks it for a tracer."""

    def __init__(self) -> None:
        self.resource = _Resource()


_OPTIONS: Mapping[str, Callable[[], Mapping[str, object]]] = {
    # It takes the service's name at its first record, for good (0.66b1).
    "logging": lambda: {"tracer_provider": _ProviderStandIn()},
}


def _is_conflict(error: Exception) -> bool:
    """Tell an instrumentation whose library is missing or of another version from a broken one."""
    return type(error).__name__ == "DependencyConflictError"


def _is_without_library(error: Exception) -> bool:
    """Tell one whose library is not there from one whose library is of another version."""
    conflict = getattr(error, "conflict", None)
    has_found = getattr(conflict, "found", None) or getattr(conflict, "found_any", None)
    return isinstance(error, ModuleNotFoundError) or (conflict is not None and not has_found)


_AZURE_SETTINGS = "azure.core.settings"
_AZURE_PLUGIN = "azure.core.tracing.ext.opentelemetry_span"


def _trace_azure_sdk(core: ModuleType) -> None:
    """
    Have the clients of Azure's SDK make spans, once an app imports them; its own choice counts.

    Service Bus (7.15.0) and Event Hubs (5.15.1) ask for the plugin, which the others then take
    as well; without it they make spans from azure-core 1.33 on, where `tracing_enabled` says so.
    """
    try:
        settings = core.settings
        if os.environ.get("AZURE_TRACING_ENABLED") or settings.tracing_implementation():
            return
        settings.tracing_enabled = True
        if find_spec(_AZURE_PLUGIN) is not None:
            settings.tracing_implementation = "opentelemetry"
        else:
            _logger.info("%s", _NO_AZURE_PLUGIN)
    except Exception:
        _logger.exception("the Azure SDK is not traced")


_INSTALL_COMMON = 'pip install "funcscope[instrument]"'
_NO_AZURE_PLUGIN = (
    "messages to Service Bus and Event Hubs carry no traceparent: "
    "pip install azure-core-tracing-opentelemetry"
)


def _missing(name: str, installed: Mapping[str, EntryPoint]) -> str:
    """Say what to do: to correct the name, or to install a package that there is."""
    from difflib import get_close_matches  # seldom needed

    known = _known()
    near = [name] if name in known else get_close_matches(name, {*installed, *known}, 1)
    if near and near[0] in installed:
        return f"instrumentation {name!r} is not known: did you mean {near[0]!r}?"
    others = ", ".join(sorted(entry.name for entry in installed.values())) or "none"
    if not near:
        what = "not known" if known else f"not installed: {_INSTALL_COMMON}"
        return f"instrumentation {name!r} is {what} (installed are: {others})"
    meant = "" if near[0] == name else f"did you mean {near[0]!r}? "
    return (
        f"instrumentation {name!r} is not installed: {meant}"
        f"{_install(near[0])} (installed are: {others})"
    )


def _install(name: str) -> str:
    """
    Say how to install an instrumentation, in the version that goes with what is there.

    Each pins that of `opentelemetry-semantic-conventions`, as the SDK does (1.45.2 and 0.66b2).
    """
    package = f"opentelemetry-instrumentation-{name}"
    with suppress(Exception):  # no metadata, as of a copy of funcscope that an app brings
        of_extra = re.compile(rf"{package}[^\w-].*extra == .instrument.")
        if any(map(of_extra.match, requires("funcscope") or ())):
            return _INSTALL_COMMON
    with suppress(Exception):
        return f"pip install {package}=={version('opentelemetry-semantic-conventions')}"
    return f"pip install {package}"


def _known() -> list[str]:
    """Return the names that OpenTelemetry's own list of packages has (`bootstrap`, 0.66b1)."""
    with suppress(Exception):
        listed = import_module("opentelemetry.instrumentation.bootstrap_gen")
        packages = [str(row["instrumentation"]) for row in listed.libraries]
        packages += map(str, listed.default_instrumentations)
        return [_plain(package.partition("=")[0]) for package in packages]
    return []


def _plain(name: str) -> str:
    plain = name.strip().lower()
    for prefix in _PACKAGES:
        plain = plain.removeprefix(prefix)
    return plain.replace("_", "-")
