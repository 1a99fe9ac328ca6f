"""
Run a command in an environment of this project, making it first where it is missing.

    python3 scripts/venv.py --python 3.13+ --extra host -- funcscope demo

Needs nothing but a Python of at least 3.10 with its standard library: it looks for the
interpreter that the command needs on PATH, among pyenv's versions and among those that
uv knows, and asks uv to install one where none of these has it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venv"
OLDEST, LIBRARY_WORKER, NEWEST = (3, 10), (3, 13), (3, 15)
Version = tuple[int, int]
EXACT = {f"3.{minor}": (3, minor) for minor in range(OLDEST[1], NEWEST[1] + 1)}
EXTRAS_BESIDE = {"services": ["host", "instrument"]}
"""The extras of funcscope in an environment beside the others', where these are not `host` alone."""
UV = {"UV_NATIVE_TLS": "1"}
"""Variables of uv's processes: the system's certificates, as pip has them."""
_TELL_VERSION = """
import sys, sysconfig, venv
if not sysconfig.get_config_var("Py_GIL_DISABLED"):
    print(*sys.version_info[:2])
"""


class MissingPythonError(Exception):
    """No interpreter fits, or uv is missing; the message says what was looked for and where."""


def main(argv: list[str]) -> int:
    """Make the environment that the options describe and run the command in it."""
    options = parse(argv)
    try:
        version, interpreter = choose(options.python)
        environment = prepare(version, interpreter, options.extra, options.group)
        for group in options.beside if version >= LIBRARY_WORKER else []:
            extras = EXTRAS_BESIDE.get(group, ["host"])
            prepare(version, interpreter, extras, [group], suffix=f"-{group}")
    except MissingPythonError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd))} failed, see above", file=sys.stderr)
        return 2
    return subprocess.call(options.command, cwd=ROOT, env=activated(environment))


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line; what follows `--` is the command."""
    parser = argparse.ArgumentParser(prog="venv.py", description="Run a command in a venv.")
    parser.add_argument(
        "--python",
        choices=["3.13+", "newest", "oldest", *EXACT],
        default="newest",
        help="3.13+: one that the library workers run on, or fail; newest, oldest: of those found",
    )
    parser.add_argument("--extra", action="append", default=[], help="an extra of funcscope")
    parser.add_argument("--group", action="append", default=[], help="a dependency group")
    parser.add_argument(
        "--beside",
        action="append",
        default=[],
        help="a group that the others do not fit with: make an environment of its own for it",
    )
    parser.add_argument("command", nargs="+")
    return parser.parse_args(argv)


def choose(wanted: str) -> tuple[Version, Path]:
    """Pick an interpreter: the newest or oldest supported one, one of at least 3.13, or a version's."""
    found = interpreters()
    seen = ", ".join(f"{major}.{minor}" for major, minor in sorted(found)) or "none"
    if wanted in EXACT:
        version = EXACT[wanted]
        if version not in found:
            raise MissingPythonError(f"this needs Python {wanted}; found: {seen}: install it")
        return version, found[version]
    if wanted == "oldest" and found:
        return min(found.items())
    if found and max(found) >= LIBRARY_WORKER:
        return max(found.items())
    installed = install_with_uv()
    if installed:
        return installed
    if wanted == "3.13+" or not found:
        raise MissingPythonError(
            "this needs Python 3.13 or later, which Microsoft's library worker runs on; "
            f"found: {seen} (on PATH, in pyenv, in uv), and uv could not install one: "
            "install Python 3.13 and put `python3.13` on PATH"
        )
    return max(found.items())


def interpreters() -> dict[Version, Path]:
    """Find an interpreter of each supported version that is here."""
    found: dict[Version, Path] = {}
    for candidate in candidates():
        version = version_of(candidate)
        if version and OLDEST <= version <= NEWEST:
            found.setdefault(version, candidate)
    return found


def candidates() -> Iterator[Path]:
    """List interpreters that may exist, without duplicates."""
    seen = set[Path]()
    for candidate in (*on_path(), *in_pyenv(), *in_uv(), Path(sys.executable)):
        if candidate not in seen and candidate.is_file():
            seen.add(candidate)
            yield candidate


def on_path() -> Iterator[Path]:
    """Find `python3.X` by name; a pyenv shim of an inactive version answers with an error."""
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        if found := shutil.which(f"python3.{minor}"):
            yield Path(found)
    if found := shutil.which("python3"):
        yield Path(found)


def in_pyenv() -> Iterator[Path]:
    """Find pyenv's versions, also where only its shims on PATH tell of it."""
    roots = [Path(os.environ["PYENV_ROOT"])] if os.environ.get("PYENV_ROOT") else []
    roots += [Path(p).parent for p in os.get_exec_path() if Path(p).name == "shims"]
    roots.append(Path("~/.pyenv").expanduser())
    for root in roots:
        yield from sorted(root.glob("versions/3.*/bin/python"), reverse=True)


def in_uv() -> Iterator[Path]:
    """Ask uv, where it is installed, for the interpreters that it manages."""
    uv = shutil.which("uv")
    found = output(uv, "python", "find", "--no-project", ">=3.13") if uv else None
    if found:
        yield Path(found)


def install_with_uv() -> tuple[Version, Path] | None:
    """Let uv install Python 3.13, fetching uv itself where it is missing."""
    uv = find_uv()
    if uv is None:
        return None
    print("looking for a Python 3.13 that uv can install …", file=sys.stderr)
    if output(uv, "python", "install", "3.13") is None:
        return None
    found = output(uv, "python", "find", "--no-project", "3.13")
    return ((3, 13), Path(found)) if found else None


def needed_uv() -> str:
    """Return where uv is, or say that there is none."""
    uv = find_uv()
    if uv is None:
        raise MissingPythonError("this needs uv, which could not be installed: pip install uv")
    return uv


def find_uv() -> str | None:
    """Return where uv is: on PATH, or else from the package index, in an environment of its own."""
    if found := shutil.which("uv"):
        return found
    home = VENVS / "uv"
    uv = home / "bin" / "uv"
    if not uv.is_file() and output(sys.executable, "-m", "venv", str(home)) is not None:
        output(str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv")
    return str(uv) if uv.is_file() else None


def version_of(interpreter: Path) -> Version | None:
    """
    Ask an interpreter for its version; None where it does not run.

    Free-threaded builds, which pyenv lists before the others of their version, are passed over:
    grpcio (1.85) has no wheels for them.
    """
    answer = output(str(interpreter), "-c", _TELL_VERSION)
    match = re.fullmatch(r"(\d+) (\d+)", answer or "")
    return (int(match[1]), int(match[2])) if match else None


def output(*command: str) -> str | None:
    """Return what a command prints; None where it fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def prepare(
    version: Version, interpreter: Path, extras: list[str], groups: list[str], suffix: str = ""
) -> Path:
    """Create the environment for this version and install what is asked for, once."""
    home = VENVS / f"{version[0]}.{version[1]}{suffix}"
    python = home / "bin" / "python"
    if not python.is_file():
        print(f"making {home.relative_to(ROOT)} with {interpreter} …", file=sys.stderr)
        subprocess.run([interpreter, "-m", "venv", "--clear", home], check=True)
        pip(python, "install", "--upgrade", "pip")
    key = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()[:16]
    wanted = f"[{','.join(sorted(extras))}]" if extras else ""
    name = "+".join([f"funcscope{wanted}", *groups])
    stamp = home / f"{name}.{key}"
    if not stamp.exists():
        print(f"installing {name} into {home.relative_to(ROOT)} …", file=sys.stderr)
        ours = ["--editable", f"{ROOT}{wanted}"]
        if suffix:  # what is beside us pins versions that pip does not find for both at once
            pip(python, "install", *ours)
            pip(python, "install", *in_groups(groups))
        else:  # at once, so that what fits is found for all of it
            pip(python, "install", *ours, *in_groups(groups))
        stamp.touch()
    return home


def in_groups(groups: list[str]) -> Iterator[str]:
    """Make pip's arguments for dependency groups."""
    for group in groups:
        yield from ("--group", f"{ROOT / 'pyproject.toml'}:{group}")


def pip(python: Path, *arguments: str) -> None:
    """Run pip quietly in an environment."""
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    # The stray warnings are pip's, about index folders that a machine's configuration names.
    command = [str(python), "-m", "pip", "--quiet", "--quiet", *arguments]
    subprocess.run(command, check=True, env=quiet, stdout=sys.stderr)


def activated(environment: Path) -> dict[str, str]:
    """Return this process's variables as `activate` would change them."""
    path = f"{environment / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "VIRTUAL_ENV": str(environment), "PATH": path}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
