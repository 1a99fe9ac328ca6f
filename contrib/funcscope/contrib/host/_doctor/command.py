"""`funcscope doctor`: what is wrong with an app's telemetry, before it is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib.host._doctor.app import examine
from funcscope.contrib.host._doctor.code import check_code
from funcscope.contrib.host._doctor.hosting import check_host
from funcscope.contrib.host._doctor.packages import check_packages
from funcscope.contrib.host._doctor.reports import FORMATS
from funcscope.contrib.host._doctor.rules import Severity
from funcscope.contrib.host._doctor.settings import check_settings

if TYPE_CHECKING:
    import argparse

    from funcscope.contrib.host._doctor.app import ExaminedApp
    from funcscope.contrib.host._doctor.rules import Finding

_CHECKS = (check_code, check_packages, check_host, check_settings)
_SEVERITIES = {severity.label: severity for severity in Severity}
_OK, _FOUND = 0, 1


def find_problems(app: ExaminedApp) -> list[Finding]:
    """Return all findings of an app, the worst first."""
    return sorted((f for check in _CHECKS for f in check(app)), key=lambda f: f.sort_key)


def run_doctor(options: argparse.Namespace) -> int:
    """
    Print what is wrong with an app, and return the exit code.

    Returns:
        0 where nothing is as bad as `--fail-on` says, 1 where something is.

    Raises:
        AppError: There is no app, or one of its files cannot be read.
    """
    app = examine(options.app_dir, options.python_version, options.settings)
    findings = find_problems(app)
    print(FORMATS[options.format](findings, app.directory))
    worst = max((finding.rule.severity for finding in findings), default=None)
    return _FOUND if worst is not None and worst >= _SEVERITIES[options.fail_on] else _OK
