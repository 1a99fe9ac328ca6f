"""The docs' pages as a list for language models: `llms.txt`, in the form of llmstxt.org."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

SECTIONS = {
    "Tutorials": "tutorials/*.md",
    "How-to": "how-to/*.md",
    "Reference": "reference/*.md",
    "Explanation": "explanation/*.md",
    "More": "*.md",
    "Decisions": "decisions/README.md",
}
"""Where the pages of each section are; a page that only lists others is named `index.md`."""

HEAD = """\
# funcscope

> Runs worker extensions around every invocation of an Azure Functions app in Python, on every worker, and
> builds OpenTelemetry traces, logs and metrics on them. `import funcscope.auto` turns telemetry on; app
> settings say the rest.

Made by `make docs` from the pages' titles and first sentences.

- [README](README.md): what it does, for whom, on which versions
- [Changelog](CHANGELOG.md): what users see of each change
- [Contributing](CONTRIBUTING.md): commands, rules, recipes for a trigger, an exporter, an integration
"""


def docs_index() -> str:
    """Make the list."""
    parts = [HEAD]
    for section, pattern in SECTIONS.items():
        pages = [page for page in sorted(DOCS.glob(pattern)) if page.stem != "index"]
        if pages:
            parts.append("\n".join([f"## {section}\n", *map(_line, pages), ""]))
    return "\n".join(parts)


def _line(page: Path) -> str:
    title, _, text = page.read_text().partition("\n")
    about = _first_sentence(text)
    link = f"- [{title.lstrip('# ')}]({page.relative_to(ROOT).as_posix()})"
    return f"{link}: {about}" if about else link


def _first_sentence(text: str) -> str:
    """Return the first sentence, without its links; nothing where a page begins with code."""
    paragraph = next(filter(None, (block.strip() for block in text.split("\n\n"))), "")
    if not re.match(r"[\w`*\[]", paragraph) or paragraph.startswith("```"):
        return ""
    plain = re.sub(r" \(\[[^\]]+\]\([^)]*\)\)", "", " ".join(paragraph.split()))
    plain = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", plain)
    return re.split(r"(?<=[\w`)])[.:](?: |$)", plain)[0]
