"""
Show this environment: `python -m funcscope.extensions [--json] [MODULE …]`.

Imports the workers that are installed, and the modules that are named (such as `function_app`,
run from the app's folder), and prints what is hooked and registered then.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from importlib.util import find_spec

from funcscope.extensions import install, status
from funcscope.extensions._workers.install import WORKER_MODULES


def main(argv: list[str] | None = None) -> int:
    """Print the status; 1 where a worker or module cannot be imported, or does not fit."""
    parser = argparse.ArgumentParser(prog="python -m funcscope.extensions")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="import this first")
    options = parser.parse_args(argv)
    sys.path.insert(0, "")
    install()
    is_whole = True
    workers = [m for m in WORKER_MODULES if find_spec(m.partition(".")[0])]
    for module in (*workers, *options.modules):
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001  (whatever a module raises)
            print(f"error: {module} cannot be imported: {error!r}", file=sys.stderr)
            is_whole = False
    current = status()
    print(json.dumps(current.as_dict(), indent=2) if options.json else current.as_text())
    return 0 if is_whole and all(worker.seam for worker in current.workers) else 1


if __name__ == "__main__":
    sys.exit(main())
