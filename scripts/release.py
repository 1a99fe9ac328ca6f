"""
Build what is released, and try it as those who install it do.

    python3 -m scripts.release wheel     # dist/, and the line that installs it
    python3 -m scripts.release check     # the same with an sdist, looked at and installed

uv builds, each time in an environment that has nothing but what pyproject.toml says it needs. A check
takes each extra on each interpreter found, in environments of their own.
"""

from __future__ import annotations

import argparse
import email
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple
from zipfile import ZipFile

from scripts.matrix import install
from scripts.venv import ROOT, UV, VENVS, MissingPythonError, activated, interpreters, needed_uv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

    from scripts.venv import Version

DIST = ROOT / "dist"
HOME = VENVS / "release"
SMOKE = ROOT / "tests" / "installed.py"


class Trial(NamedTuple):
    """
    An environment that people make.

    Attributes:
        extra: An extra of funcscope, or nothing.
        version: Python's.
        python: An interpreter of it.
    """

    extra: str
    version: Version
    python: Path

    def __str__(self) -> str:
        return f"{self.extra or 'no extra'} on Python {'.'.join(map(str, self.version))}"


def main(argv: list[str]) -> int:
    """Build the wheel and say how it is installed, or check what would be released."""
    parser = argparse.ArgumentParser(prog="release.py", description="Build what is released.")
    parser.add_argument("what", choices=["wheel", "check"])
    parser.add_argument("--tag", help="the version's, as v1.2.3: check that all is ready for it")
    options = parser.parse_args(argv)
    try:
        return check(options.tag) if options.what == "check" else build_wheel()
    except (MissingPythonError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def build_wheel() -> int:
    """Build the wheel alone."""
    (wheel,) = build("--wheel")
    print(f'pip install "{wheel.relative_to(ROOT)}"')
    return 0


def build(*kinds: str) -> list[Path]:
    """Build into dist/, and return what is there then: what was before is removed."""
    shutil.rmtree(DIST, ignore_errors=True)
    command = [needed_uv(), "build", "--quiet", "--python", sys.executable, "--out-dir", "dist"]
    subprocess.run([*command, *kinds], check=True, cwd=ROOT, env={**os.environ, **UV})
    return sorted(DIST.glob("funcscope-*"))


def check(tag: str | None) -> int:
    """Build the sdist, and of it the wheel; say what is wrong with them."""
    wheel, sdist = build()
    described = metadata(wheel)
    faults = list(unready(tag, described)) if tag else []
    faults += looked_at(wheel, sdist)
    trials = [
        Trial(extra, *found)
        for found in sorted(interpreters().items())
        for extra in ("", *described.get_all("Provides-Extra", []))
    ]
    with ThreadPoolExecutor(2) as pool:
        for trial, fault in zip(trials, pool.map(lambda t: tried(t, wheel), trials), strict=True):
            print(f"{trial}: {fault or 'passed'}", flush=True)
            faults += [f"{trial} failed, see above"] if fault else []
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return int(bool(faults))


def metadata(wheel: Path) -> Message:
    """Read what a wheel says of itself."""
    with ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def unready(tag: str, described: Message) -> Iterator[str]:
    """Say what is missing before a version is released under a tag."""
    version = described["Version"]
    if tag != f"v{version}":
        yield f"the tag is {tag!r}, and telemetry/_scope.py says {version!r}: change one of them"
    heading = rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$"
    if not re.search(heading, (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE):
        yield f"CHANGELOG.md has no '## {version} - YYYY-MM-DD': name what was 'Unreleased' so"
    if not described.get_all("Project-URL"):
        yield "pyproject.toml has no [project.urls]: say there where the project is found"


def looked_at(wheel: Path, sdist: Path) -> Iterator[str]:
    """Say what the tools of packagers have to say."""
    fault = install(HOME, next(iter(interpreters().values())), "--group", "release")
    if fault:
        yield fault
        return
    for command in (
        ("validate-pyproject", "pyproject.toml"),
        ("twine", "check", "--strict", str(wheel), str(sdist)),
        ("check-wheel-contents", str(wheel)),
    ):
        if said := failure(HOME, str(HOME / "bin" / command[0]), *command[1:]):
            yield f"{command[0]}: {said}"
        print(f"{command[0]}: {'FAILED' if said else 'passed'}", flush=True)


def tried(trial: Trial, wheel: Path) -> str:
    """Install a wheel where nothing else is, and call a function there; return what fails."""
    home = HOME.with_name(f"release-{trial.extra or 'none'}-{'.'.join(map(str, trial.version))}")
    wanted = f"{wheel}[{trial.extra}]" if trial.extra else str(wheel)
    fault = (
        install(home, trial.python, wanted)
        or failure(home, needed_uv(), "pip", "check")
        or failure(home, str(home / "bin" / "python"), "-I", str(SMOKE), trial.extra)
    )
    if not fault:
        shutil.rmtree(home)
    return fault


def failure(home: Path, *command: str) -> str:
    """Run a command in an environment; return what it says where it fails."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=activated(home) | UV,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return (done.stdout or f"{command[0]} ended with {done.returncode}") if done.returncode else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
