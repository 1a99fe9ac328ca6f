"""What is released: the wheel and the sdist, as pyproject.toml has them built."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest
from scripts.release import unready

ROOT = Path(__file__).parent.parent
LAYERS = ("extensions", "telemetry", "contrib")
WITH_SOURCES = (
    *LAYERS, "tests", "docs", "examples", "scripts",
    ".github", ".gitignore", ".pre-commit-config.yaml", ":(glob)*.md",
    "LICENSE", "Makefile", "llms.txt", "pyproject.toml",
)  # fmt: skip
"""What packagers get: the sources, and all that `make test` and `make check` read."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """List the files of the wheel and of the sdist, built where no network is needed."""
    dist = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(dist)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = dist.glob("*.whl")
    (sdist,) = dist.glob("*.tar.gz")
    with ZipFile(wheel) as archive, tarfile.open(sdist) as sources:
        names = [Path(member.name) for member in sources if member.isfile()]
        return {
            "wheel": set(archive.namelist()),
            "sdist": {str(name.relative_to(name.parts[0])) for name in names},
        }


def in_git(*places: str) -> set[str]:
    """List what git knows of these places, or would with the next `git add`."""
    if not (ROOT / ".git").exists():
        pytest.skip("git tells which files are the sources', and this is no clone")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *places]
    done = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True)
    return {name for name in done.stdout.split("\0") if (ROOT / name).is_file()}


def test_wheel_is_the_product(built: dict[str, set[str]]) -> None:
    """A wheel has each file of the product, what is not Python too, and no test or page of docs."""
    product = {name.partition("/")[2] for name in in_git(*LAYERS)}

    assert {name for name in built["wheel"] if ".dist-info/" not in name} == product
    assert {name.partition("/")[2] for name in built["wheel"]} >= {
        "METADATA", "RECORD", "entry_points.txt", "licenses/LICENSE",
    }  # fmt: skip


def test_sdist_is_what_the_checks_need(built: dict[str, set[str]]) -> None:
    """An sdist has what the wheel is built from and tested with, and nothing else."""
    assert built["sdist"] - {"PKG-INFO"} == in_git(*WITH_SOURCES)


def test_release_that_is_not_ready() -> None:
    """A tag of another version, or of one that is not told of, is refused with what to do."""
    described = Message()
    described["Version"] = "0.0.1"
    faults = list(unready("v0.0.2", described))

    assert [fault.split(":")[0] for fault in faults] == [
        "the tag is 'v0.0.2', and telemetry/_scope.py says '0.0.1'",
        "CHANGELOG.md has no '## 0.0.1 - YYYY-MM-DD'",
        "pyproject.toml has no [project.urls]",
    ]
    described["Project-URL"] = "Source, https://example.invalid"
    assert len(list(unready("v0.0.1", described))) == 1


def test_changelog_has_a_heading_for_each_version() -> None:
    """What is not released stands first, then the versions with their days, newest first."""
    text = (ROOT / "CHANGELOG.md").read_text()
    first, *others = re.findall(r"^## (.+)$", text, re.MULTILINE)
    released = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) - \d{4}-\d\d-\d\d", other) for other in others]
    numbers = [tuple(map(int, match.groups())) for match in released if match]

    assert first == "Unreleased"
    assert None not in released
    assert numbers == sorted(set(numbers), reverse=True)


def test_the_project_is_found_in_one_place() -> None:
    """Where the project is stands in pyproject.toml alone: it has no public address yet."""
    address = re.compile(
        r"(?:github|gitlab|codeberg|bitbucket)\.\w+[/:][\w.-]+/funcscope\b"
        r"|\bfuncscope\.(?:dev|io|org|readthedocs)\b"
    )
    texts = {
        name: (ROOT / name).read_text(errors="ignore")
        for name in in_git("*.md", "*.yml", "*.txt", "*.py", "Makefile")
    }

    assert [name for name, text in texts.items() if address.search(text)] == []
