"""
Build what is released.

    python3 -m scripts.release wheel     # dist/, and the line that installs it

uv builds, each time in an environment that has nothing but what pyproject.toml says it needs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from scripts.venv import ROOT, UV, MissingPythonError, needed_uv

if TYPE_CHECKING:
    from pathlib import Path

DIST = ROOT / "dist"


def main(argv: list[str]) -> int:
    """Build the wheel and say how it is installed."""
    parser = argparse.ArgumentParser(prog="release.py", description="Build what is released.")
    parser.add_argument("what", choices=["wheel"])
    parser.parse_args(argv)
    try:
        (wheel,) = build("--wheel")
    except (MissingPythonError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f'pip install "{wheel.relative_to(ROOT)}"')
    return 0


def build(*kinds: str) -> list[Path]:
    """Build into dist/, and return what is there then: what was before is removed."""
    shutil.rmtree(DIST, ignore_errors=True)
    command = [needed_uv(), "build", "--quiet", "--python", sys.executable, "--out-dir", "dist"]
    subprocess.run([*command, *kinds], check=True, cwd=ROOT, env={**os.environ, **UV})
    return sorted(DIST.glob("funcscope-*"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
