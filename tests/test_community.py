"""The files that a forge and its visitors look for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


@pytest.mark.parametrize("page", [p.name for p in sorted(ROOT.glob("*.md"))])
def test_links_lead_somewhere(page: str) -> None:
    """A link of a page at the root leads to a file, and to a heading of it where it names one."""
    text = (ROOT / page).read_text()
    missing = []
    for target, _, anchor in re.findall(r"\]\(((?!https?:)[^)#]*)(#([^)]+))?\)", text):
        file = ROOT / (target or page)
        if not file.exists() or (anchor and anchor not in headings(file)):
            missing.append(f"{target}#{anchor}")

    assert missing == []


def headings(file: Path) -> set[str]:
    """List the anchors of a page's headings, as forges make them."""
    found = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_page_is_listed() -> None:
    """`llms.txt` has each page of the docs; of the decisions their list."""
    listed = set(re.findall(r"\]\((docs/[^)]+)\)", (ROOT / "llms.txt").read_text()))
    pages = {
        page.relative_to(ROOT).as_posix()
        for page in DOCS.rglob("*.md")
        if page.stem != "index" and not re.match(r"\d{3}-", page.name)
    }

    assert listed == pages


def test_hooks_run_make() -> None:
    """What pre-commit runs is a target of the Makefile, so that no tool has two versions."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert [hook["entry"] for hook in hooks] == ["make lint", "make check"]
    assert {hook["entry"].split()[1] for hook in hooks} <= set(targets)


def test_bug_form_asks_for_what_answers_most() -> None:
    """A report of a fault has the doctor's findings and the status, and no secrets."""
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text())
    needed = {field["id"] for field in form["body"] if field.get("validations", {}).get("required")}

    assert {"what", "doctor", "status", "versions"} <= needed
    assert "SECURITY.md" in form["body"][0]["attributes"]["value"]
