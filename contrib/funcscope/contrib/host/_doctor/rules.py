"""Findings, and the table of their rules, which docs/reference/doctor.md is written from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Severity(IntEnum):
    """How bad a finding is: an error loses telemetry or breaks functions, a warning may."""

    NOTE = 1
    WARNING = 2
    ERROR = 3

    @property
    def label(self) -> str:
        """The severity as people, JSON and SARIF have it."""
        return self.name.lower()


class Rule(NamedTuple):
    """
    A kind of finding.

    Attributes:
        id: Stable: scripts and suppressions name it.
        severity: Of all its findings.
        title: What is wrong, without the names of one app.
        page: The page of the docs that tells more, below `docs/`.
    """

    id: str
    severity: Severity
    title: str
    page: str


class FilePlace(NamedTuple):
    """
    A place in an app.

    Attributes:
        file: A file of the app, or another that was read.
        line: From 1 on; None where the whole file is meant.
    """

    file: Path
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something that is wrong with an app.

    Attributes:
        rule: Its kind.
        place: Where it is.
        message: What is wrong; it holds no secret.
        fix: What to do.
    """

    rule: Rule
    place: FilePlace
    message: str
    fix: str

    @property
    def sort_key(self) -> tuple[int, str, int, str]:
        """The worst first, then by place."""
        return -self.rule.severity, str(self.place.file), self.place.line or 0, self.rule.id


_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

_MOVE = "how-to/move-to-python-3.13.md"
_LOGS = "how-to/where-did-my-logs-go.md"
_SETTINGS = "reference/settings.md"
_INSIGHTS = "how-to/azure-monitor.md"
_INSTRUMENTATIONS = "how-to/instrumentations.md"
_BESIDE = "how-to/beside-other-tracers.md"
_VERSIONS = "reference/compatibility.md"
_SENDING = "how-to/sending.md"
_REDACTION = "reference/redaction.md"

MODULE_UNREADABLE = Rule(
    "module-unreadable", _ERROR, "A module of the app is no Python that can be parsed", _MOVE
)
EXTENSIONS_DROPPED = Rule(
    "extensions-dropped",
    _ERROR,
    "Worker extensions are not called by the workers for Python 3.13 and later",
    _MOVE,
)
EXTENSIONS_NOT_ENABLED = Rule(
    "extensions-not-enabled",
    _ERROR,
    "The classic worker calls extensions only with PYTHON_ENABLE_WORKER_EXTENSIONS=1",
    _MOVE,
)
EXTENSION_SETTING_IGNORED = Rule(
    "extension-setting-ignored",
    _NOTE,
    "PYTHON_ENABLE_WORKER_EXTENSIONS does nothing on Python 3.13 and later",
    _MOVE,
)
FUNC_EXTENSION_FILE_PATH = Rule(
    "func-extension-file-path",
    _ERROR,
    "FuncExtensionBase(__file__) matches no function of a v2 app",
    _MOVE,
)
TELEMETRY_NOT_ON = Rule("telemetry-not-on", _WARNING, "No module turns funcscope on", _SENDING)
AUTO_IMPORT_LATE = Rule(
    "auto-import-late",
    _NOTE,
    "Something of the app runs before `import funcscope.auto`",
    _INSTRUMENTATIONS,
)
OPENCENSUS_LEFT = Rule(
    "opencensus-left", _WARNING, "OpenCensus is retired", "how-to/leave-opencensus.md"
)
SET_UP_IN_FUNCTION = Rule(
    "set-up-in-function",
    _WARNING,
    "Another tracer is set up inside a function, after invocations have begun",
    _BESIDE,
)
REQUIREMENT_MISSING = Rule(
    "requirement-missing", _ERROR, "The app imports funcscope and does not require it", _VERSIONS
)
REQUIREMENT_UNREADABLE = Rule(
    "requirement-unreadable", _WARNING, "A line of requirements.txt cannot be parsed", _VERSIONS
)
WORKER_REQUIRED = Rule(
    "worker-required", _WARNING, "The worker is the platform's to bring", _VERSIONS
)
PIN_AGAINST_FUNCSCOPE = Rule(
    "pin-against-funcscope", _ERROR, "A pin cannot be installed beside funcscope", _VERSIONS
)
PIN_AGAINST_WORKER = Rule(
    "pin-against-worker",
    _WARNING,
    "A package is asked for in a newer version than the worker has loaded",
    _VERSIONS,
)
OPENTELEMETRY_MIXED = Rule(
    "opentelemetry-mixed",
    _ERROR,
    "An instrumentation and the SDK are of different releases of OpenTelemetry",
    _VERSIONS,
)
INSTRUMENTATION_OFF = Rule(
    "instrumentation-off", _WARNING, "An instrumentation is required and not on", _INSTRUMENTATIONS
)
AZURE_MONITOR_MISSING = Rule(
    "azure-monitor-missing",
    _ERROR,
    "Azure Monitor is asked for and what exports to it is not required",
    _INSIGHTS,
)
TELEMETRY_MODE_MISPLACED = Rule(
    "telemetry-mode-misplaced", _ERROR, "telemetryMode is not at the root of host.json", _LOGS
)
TELEMETRY_MODE_UNKNOWN = Rule(
    "telemetry-mode-unknown", _ERROR, "telemetryMode has a value that the host does not know", _LOGS
)
LOG_FILTER = Rule("log-filter", _WARNING, "host.json keeps functions' log records back", _LOGS)
INSIGHTS_SETTINGS_IGNORED = Rule(
    "insights-settings-ignored",
    _WARNING,
    "logging.applicationInsights is ignored with telemetryMode OpenTelemetry",
    _INSIGHTS,
)
SECRET_IN_FILE = Rule("secret-in-file", _ERROR, "A file of the app holds a secret", _REDACTION)
SETTING_UNKNOWN = Rule("setting-unknown", _WARNING, "A setting that nothing reads", _SETTINGS)
SETTING_WRONG = Rule("setting-wrong", _ERROR, "A setting with a value that is not known", _SETTINGS)
CONNECTION_STRING_WRONG = Rule(
    "connection-string-wrong", _ERROR, "A connection string that cannot be parsed", _INSIGHTS
)
ENDPOINT_WITH_SIGNAL = Rule(
    "endpoint-with-signal",
    _ERROR,
    "The endpoint of all signals ends in the path of one",
    _SETTINGS,
)
PORT_OF_OTHER_PROTOCOL = Rule(
    "port-of-other-protocol",
    _WARNING,
    "An endpoint's port is the usual one of another protocol",
    _SETTINGS,
)
NOTHING_EXPORTED = Rule("nothing-exported", _WARNING, "No signal has an exporter", _SENDING)
LOGS_NOWHERE = Rule("logs-nowhere", _WARNING, "Nobody exports functions' log records", _LOGS)
LOGS_TWICE = Rule("logs-twice", _WARNING, "Log records arrive twice at one place", _LOGS)
WORKER_FAILS = Rule(
    "worker-fails",
    _ERROR,
    "The pinned worker fails async functions with PYTHON_ENABLE_OPENTELEMETRY",
    _LOGS,
)

RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
"""All rules, in the order above."""
