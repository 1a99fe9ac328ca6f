"""
Where a worker's process begins: `python start.py JOB`.

The modules beside this one are loaded under a name of their own, and their directory leaves
`sys.path`: the app must find none of them there. A process that the app's `multiprocessing` spawns
loads this file, too, and does nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

_PACKAGE = "_funcscope_worker_process"


def _main() -> None:
    directory = Path(__file__).resolve().parent
    if sys.path and Path(sys.path[0]).resolve() == directory:
        del sys.path[0]
    _load_package(directory)
    importlib.import_module(f"{_PACKAGE}.serving").serve(sys.argv.pop())


def _load_package(directory: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        _PACKAGE,
        directory / "__init__.py",
        submodule_search_locations=[str(directory)],
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{directory} cannot be imported from")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    _main()
