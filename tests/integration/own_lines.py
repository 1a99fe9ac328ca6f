"""
Writes down what funcscope itself logs: a line of JSON for each record, from its own loggers on.

Imported before an app is, by a run with `import_first=["own_lines"]`; the file is the one that
GOLDEN_LINES names. Only the loggers named `funcscope` get a handler: the root logger is as the
worker left it.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path


class OwnLines(logging.Handler):
    """Appends each record to the file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    def emit(self, record: logging.LogRecord) -> None:
        line = [record.levelname, record.name, record.getMessage()]
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


if "GOLDEN_LINES" in os.environ:  # pytest imports each file here to look for doctests
    logging.getLogger("funcscope").addHandler(OwnLines(Path(os.environ["GOLDEN_LINES"])))
