"""What requirements.txt says: what cannot be installed together, and what is there and not on."""

from __future__ import annotations

from importlib.metadata import requires
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from funcscope.contrib.host._doctor import rules
from funcscope.contrib.host._doctor.code import is_turned_on, uses
from funcscope.contrib.host._doctor.rules import FilePlace, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from funcscope.contrib.host._doctor.app import ExaminedApp, RequirementLine

# What the workers load before the app, by Python's version; older ones are those of 3.12.
# Seen in the workers for each.
_LOADED = {
    (3, 14): {"protobuf": "6.32", "grpcio": "1.75"},
    (3, 13): {"protobuf": "5.29", "grpcio": "1.70"},
    (3, 12): {"protobuf": "4.25", "grpcio": "1.59"},
}
_ISOLATE = "PYTHON_ISOLATE_WORKER_DEPENDENCIES"
_ENABLE_OPENTELEMETRY = "PYTHON_ENABLE_OPENTELEMETRY"

# What goes with SDK 1.40, our floor: OpenTelemetry's packages pin one another's versions.
_BESIDE_SDK = {
    "opentelemetry-api": ">=1.40",
    "opentelemetry-semantic-conventions": ">=0.61b0",
    "opentelemetry-exporter-otlp": ">=1.40",
    "opentelemetry-exporter-otlp-proto-http": ">=1.40",
    "opentelemetry-exporter-otlp-proto-grpc": ">=1.40",
    "azure-monitor-opentelemetry": ">=1.8.8",
}
_INSTRUMENTATION = "opentelemetry-instrumentation"
_AHEAD = 21  # instrumentation 0.61b0 is released with SDK 1.40
# They turn instrumentations on themselves.
_DISTROS = (
    "azure-monitor-opentelemetry",
    "logfire",
    "microsoft-opentelemetry",
    "opentelemetry-distro",
)
_WORKERS = ("azure-functions-worker",)
_LOWER, _EXACT = (">=", "~=", ">"), ("==", "===")


def check_packages(app: ExaminedApp) -> Iterator[Finding]:
    """Find what is wrong with an app's requirements.txt; nothing where it has none."""
    if app.requirements is None:
        return
    yield from _unreadable(app)
    yield from _missing(app)
    yield from _workers(app)
    yield from _against_funcscope(app)
    yield from _against_worker(app)
    yield from _mixed(app)
    yield from _off(app)


def requires_extra(app: ExaminedApp, extra: str) -> bool:
    """Tell whether the app requires one of funcscope's extras."""
    lines = app.required("funcscope")
    return any({extra, "all"} & line.requirement.extras for line in lines if line.requirement)


def _unreadable(app: ExaminedApp) -> Iterator[Finding]:
    for line in app.requirements or ():
        if line.requirement is None:
            yield Finding(
                rules.REQUIREMENT_UNREADABLE,
                line.place,
                f"{line.text!r} is no requirement that pip takes",
                "write NAME, or NAME==VERSION",
            )


def _missing(app: ExaminedApp) -> Iterator[Finding]:
    # By name, or by a wheel's file or URL.
    is_named = any("funcscope" in text for text in app.requirement_files.values())
    if uses(app, "funcscope") and not is_named:
        yield Finding(
            rules.REQUIREMENT_MISSING,
            FilePlace(app.directory / "requirements.txt"),
            "the app imports funcscope, which requirements.txt does not name",
            "add it: a deployed app has what that file names alone",
        )


def _workers(app: ExaminedApp) -> Iterator[Finding]:
    for name in _WORKERS:
        for line in app.required(name):
            yield Finding(
                rules.WORKER_REQUIRED,
                line.place,
                f"{name} is required: the platform brings its own, and the two may clash",
                "remove the line",
            )
    for line in app.required("azure-functions-runtime"):
        if app.is_on(_ENABLE_OPENTELEMETRY) and not _may_be(line, ">=1.3"):
            yield Finding(
                rules.WORKER_FAILS,
                line.place,
                f"{line.text} with {_ENABLE_OPENTELEMETRY}=true fails every async function",
                "take 1.3 or later, or remove the setting",
            )


def _against_funcscope(app: ExaminedApp) -> Iterator[Finding]:
    for name, needed in {**_own_needs(), **_BESIDE_SDK}.items():
        for line in app.required(name):
            if not _may_be(line, needed):
                yield Finding(
                    rules.PIN_AGAINST_FUNCSCOPE,
                    line.place,
                    f"{line.text} cannot be installed beside funcscope, which needs {name}{needed}",
                    f"allow {name}{needed}",
                )
    for line in app.requirements or ():
        if line.name.startswith(_INSTRUMENTATION) and not _may_be(line, ">=0.61b0"):
            yield Finding(
                rules.PIN_AGAINST_FUNCSCOPE,
                line.place,
                f"{line.text} pins an SDK before 1.40, the first that funcscope runs on",
                f"allow {line.name}>=0.61b0",
            )


def _own_needs() -> dict[str, str]:
    """Return what funcscope itself requires, extras left out."""
    needs = [Requirement(text) for text in requires("funcscope") or ()]
    return {n.name: str(n.specifier) for n in needs if n.marker is None and n.specifier}


def _against_worker(app: ExaminedApp) -> Iterator[Finding]:
    if app.is_on(_ISOLATE):
        return
    loaded = next(
        (versions for least, versions in _LOADED.items() if app.python >= least),
        _LOADED[3, 12],
    )
    for name, version in loaded.items():
        for line in app.required(name):
            least = _least(line)
            if least is not None and least.release[:2] > Version(version).release[:2]:
                yield Finding(
                    rules.PIN_AGAINST_WORKER,
                    line.place,
                    f"{line.text} asks for a newer {name} than the worker for Python "
                    f"{app.python[0]}.{app.python[1]} has loaded ({version})",
                    f"allow {name} {version}, or set {_ISOLATE}=1",
                )


def _mixed(app: ExaminedApp) -> Iterator[Finding]:
    sdks = [_exact(line) for line in app.required("opentelemetry-sdk")]
    for sdk in filter(None, sdks):
        for line in app.requirements or ():
            theirs = _exact(line) if line.name.startswith(_INSTRUMENTATION) else None
            if theirs is not None and theirs.minor != sdk.minor + _AHEAD:
                yield Finding(
                    rules.OPENTELEMETRY_MIXED,
                    line.place,
                    f"{line.text} is released with SDK 1.{theirs.minor - _AHEAD}, and "
                    f"opentelemetry-sdk=={sdk} is required",
                    f"take 0.{sdk.minor + _AHEAD}b0, or leave both open",
                )


def _off(app: ExaminedApp) -> Iterator[Finding]:
    wanted = app.settings.get("FUNCSCOPE_INSTRUMENT", "").lower().replace("_", "-")
    names = {name.strip().removeprefix(f"{_INSTRUMENTATION}-") for name in wanted.split(",")}
    if "auto" in names or not is_turned_on(app) or any(map(app.required, _DISTROS)):
        return
    for line in app.requirements or ():
        library = line.name.removeprefix(f"{_INSTRUMENTATION}-")
        if library in (line.name, *names) or _is_used(app, library):
            continue
        yield Finding(
            rules.INSTRUMENTATION_OFF,
            line.place,
            f"{line.name} is required, and nothing turns it on",
            f"set FUNCSCOPE_INSTRUMENT=auto, or FUNCSCOPE_INSTRUMENT={library}",
        )


def _is_used(app: ExaminedApp, library: str) -> bool:
    return uses(app, f"opentelemetry.instrumentation.{library.replace('-', '_')}")


def _may_be(line: RequirementLine, needed: str) -> bool:
    """Tell whether a version can fit both; tried with those that either names, and around them."""
    if line.requirement is None or not line.requirement.specifier:
        return True
    both = (line.requirement.specifier, SpecifierSet(needed))
    named = [Version(s.version.removesuffix(".*")) for each in both for s in each]
    tried = {Version("9999"), *named, *map(_next, named)}
    return any(all(each.contains(v, prereleases=True) for each in both) for v in tried)


def _next(version: Version) -> Version:
    """Return a version a little later, for bounds that leave out what they name."""
    return Version(f"{version.major}.{version.minor}.{version.micro + 1}")


def _least(line: RequirementLine) -> Version | None:
    """Return the least version that a line allows; None where it has no lower bound."""
    specifiers = () if line.requirement is None else line.requirement.specifier
    bounds = [
        Version(s.version.removesuffix(".*"))
        for s in specifiers
        if s.operator in (*_LOWER, *_EXACT)
    ]
    return max(bounds, default=None)


def _exact(line: RequirementLine) -> Version | None:
    specifiers = () if line.requirement is None else line.requirement.specifier
    pins = [s.version for s in specifiers if s.operator in _EXACT and not s.version.endswith("*")]
    return Version(pins[0]) if pins else None
