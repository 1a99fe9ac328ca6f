"""Findings as text, as JSON, and as SARIF."""

from __future__ import annotations

import json
from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING

from funcscope.contrib.host._doctor.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from funcscope.contrib.host._doctor.rules import FilePlace, Finding, Rule

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(findings: Sequence[Finding], directory: Path) -> str:
    """Return findings for people, the worst first; one line where there are none."""
    if not findings:
        return f"{directory}: nothing is wrong with its telemetry, as far as its files tell"
    lines = [line for finding in findings for line in _text_lines(finding, directory)]
    counts = Counter(finding.rule.severity.label for finding in findings)
    return "\n".join([*lines, ", ".join(f"{n} {_plural(label, n)}" for label, n in counts.items())])


def _text_lines(finding: Finding, directory: Path) -> list[str]:
    rule = finding.rule
    return [
        f"{_shown_place(finding.place, directory)}: {rule.severity.label}: {finding.message}",
        f"    {finding.fix}  [{rule.id}, docs/{rule.page}]",
        "",
    ]


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def as_json(findings: Sequence[Finding], directory: Path) -> str:
    """Return findings as a JSON object: `directory` and `findings`."""
    return json.dumps(
        {
            "directory": str(directory),
            "findings": [
                {
                    "rule": finding.rule.id,
                    "severity": finding.rule.severity.label,
                    "file": _relative(finding.place, directory),
                    "line": finding.place.line,
                    "message": finding.message,
                    "fix": finding.fix,
                    "page": f"docs/{finding.rule.page}",
                }
                for finding in findings
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def as_sarif(findings: Sequence[Finding], directory: Path) -> str:
    """Return findings as SARIF 2.1.0, which forges and editors show beside the code."""
    driver = {
        "name": "funcscope doctor",
        "version": version("funcscope"),
        "rules": [_sarif_rule(rule) for rule in RULES],
    }
    run = {
        "tool": {"driver": driver},
        "originalUriBaseIds": {"APP": {"uri": f"{directory.as_uri()}/"}},
        "results": [_sarif_result(finding, directory) for finding in findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _sarif_rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "help": {"text": f"See docs/{rule.page}."},
        "defaultConfiguration": {"level": rule.severity.label},
    }


def _sarif_result(finding: Finding, directory: Path) -> dict[str, object]:
    location: dict[str, object] = {"artifactLocation": _sarif_file(finding.place, directory)}
    if finding.place.line is not None:
        location["region"] = {"startLine": finding.place.line}
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": RULES.index(finding.rule),
        "level": finding.rule.severity.label,
        "message": {"text": f"{finding.message}. To mend it: {finding.fix}."},
        "locations": [{"physicalLocation": location}],
    }


def _sarif_file(place: FilePlace, directory: Path) -> dict[str, str]:
    if place.file.is_relative_to(directory):
        return {"uri": _relative(place, directory), "uriBaseId": "APP"}
    return {"uri": place.file.resolve().as_uri()}


def _relative(place: FilePlace, directory: Path) -> str:
    if place.file.is_relative_to(directory):
        return place.file.relative_to(directory).as_posix()
    return str(place.file)


def _shown_place(place: FilePlace, directory: Path) -> str:
    line = "" if place.line is None else f":{place.line}"
    return f"{_relative(place, directory)}{line}"


FORMATS: Mapping[str, Callable[[Sequence[Finding], Path], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
}
"""What `--format` may say."""
