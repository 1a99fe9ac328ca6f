"""
Draw what `funcscope demo` prints of its traces: `make pictures` writes docs/pictures/demo.svg.

    python -m scripts.demo_picture
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import escape

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "demo.svg"
_WIDTH = 96
_FONT_FACES = re.compile(r"\s*@font-face \{\{.*?\}\}", re.DOTALL)
"""Of the format of rich, which has a browser fetch them."""
_HEAD, _BRANCH = re.compile(r"\S+ \S+ → "), re.compile(r"\s*[└├│]")
_VARIES = re.compile(r"\s+waited [\d.]+ ms for a thread|[\d.]+(?= ms)|\b[0-9a-f]{32}\b")


def main() -> int:
    """Run the demo and draw it."""
    PICTURE.write_text(draw(run_demo(FORCE_COLOR="1", COLORTERM="truecolor")), "utf-8")
    return 0


def run_demo(**environment: str) -> str:
    """Run the demo, with more in its environment, and return what it prints."""
    command = [sys.executable, "-m", "funcscope.contrib.host.cli", "demo"]
    variables = {**os.environ, **environment}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=variables).stdout


def traces_of(output: str) -> Text:
    """
    Take the traces out of what the demo prints, in its colours.

    Raises:
        ValueError: There are none.
    """
    traces = list[Text]()
    for line in Text.from_ansi(output).split("\n"):
        if _HEAD.match(line.plain):
            traces.append(line)
        elif _BRANCH.match(line.plain) and traces:
            traces[-1].append("\n").append(line)
    if not traces:
        raise ValueError(f"the demo printed no traces: {output!r}")
    return Text("\n\n").join(traces)


def draw(output: str) -> str:
    """Draw the traces as a terminal shows them; the text stands in the picture's description."""
    console = Console(file=io.StringIO(), record=True, width=_WIDTH)
    traces = traces_of(output)
    console.print(traces)
    description = f"<desc>{escape(traces.plain)}</desc>".replace("{", "{{").replace("}", "}}")
    form = _FONT_FACES.sub("", CONSOLE_SVG_FORMAT).replace("<style>", f"{description}<style>", 1)
    return console.export_svg(title="funcscope demo", code_format=form, unique_id="demo")


def pattern(traces: str) -> list[str]:
    """Return the lines of traces without what differs from run to run: times, ids, the order."""
    return sorted(_VARIES.sub("", line).lstrip(" └├─") for line in traces.splitlines() if line)


if __name__ == "__main__":
    sys.exit(main())
