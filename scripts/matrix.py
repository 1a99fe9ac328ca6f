"""
Try funcscope with other versions of what it stands on, each in an environment of its own.

    python3 -m scripts.matrix suite lowest newest pre -- tests -n 3
    python3 -m scripts.matrix beside          # writes docs/reference/compatibility.md

uv makes the environments: it knows the lowest versions that a project allows directly
(`--resolution lowest-direct`), and refuses what conflicts, as pip does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from scripts.venv import EXACT, ROOT, UV, VENVS, MissingPythonError, activated, choose, needed_uv

if TYPE_CHECKING:
    from pathlib import Path

HOME = VENVS / "matrix"
PAGE = ROOT / "docs" / "reference" / "compatibility.md"
SMOKE = "tests/integration/test_smoke.py"
SUITES = {
    "lowest": ("--resolution", "lowest-direct", "--group", "suite"),
    "newest": ("--resolution", "highest", "--group", "test"),
    "pre": ("--prerelease", "allow", "--group", "test"),
}
# Named by file: of what `.[all]` names, uv takes the newest.
ALL = ("-r", "pyproject.toml", "--extra", "all", "--editable", ".")
SHOWN = ("opentelemetry-sdk", "azure-functions", "protobuf")


class Combination(NamedTuple):
    """
    What people have beside funcscope.

    Attributes:
        packages: What is installed beside funcscope.
        modules: Imported before the app.
        more: Tests that are run beside the smoke test.
    """

    packages: str
    modules: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


AZURE_MONITOR = ("azure.monitor.opentelemetry",)
DURABLE = ("azure.durable_functions",)
COMBINATIONS = (
    *(
        Combination(f"opentelemetry-sdk=={version}")
        for version in ("1.40.0", "1.41.1", "1.42.1", "1.43.0", "1.44.0", "1.45.2")
    ),
    Combination("azure-functions==1.20.0"),
    *(
        Combination(f"azure-monitor-opentelemetry=={version}", AZURE_MONITOR)
        for version in ("1.8.8", "1.8.9", "1.8.10", "1.8.11")
    ),
    Combination("azure-functions-durable==1.7.0", DURABLE, ("tests/integration/test_durable.py",)),
    Combination("azure-functions-durable==2.0.0rc3", DURABLE),  # `make test` runs the rest
    Combination(
        # uv takes a pre-release where it is named. It is not imported for the smoke test: from then
        # on a worker takes FastAPI's requests alone.
        "azurefunctions-agents-runtime==0.1.0b17 azure-functions-durable==2.0.0b2",
        more=("tests/integration/test_agents.py",),
    ),
    Combination("microsoft-opentelemetry==1.5.0", ("microsoft.opentelemetry",)),
    Combination("logfire", ("logfire",)),
    Combination("opentelemetry-distro", ("opentelemetry.distro",)),
)
WITHOUT_HOST = ("opentelemetry-sdk==1.40.0 protobuf<5",)
"""Only put together: what runs the smoke test needs a newer protobuf itself."""


class Outcome(NamedTuple):
    """What came of one combination: the versions, and what failed, in a line."""

    packages: str
    versions: dict[str, str]
    failure: str


def main(argv: list[str]) -> int:
    """Run the suite on other versions, or the smoke test beside other packages."""
    options = parse(argv)
    try:
        _, python = choose(options.python)
        if options.what == "suite":
            return max(suite(name, python, options.pytest) for name in options.names)
    except (MissingPythonError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(options.at_once) as pool:
        outcomes = list(pool.map(lambda combination: beside(combination, python), COMBINATIONS))
        outcomes += pool.map(lambda packages: resolve(packages, python), WITHOUT_HOST)
    PAGE.write_text(page(outcomes))
    for outcome in outcomes:
        print(outcome.packages, outcome.failure or "passed")
    return int(any(outcome.failure for outcome in outcomes))


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line; what follows `--` is pytest's."""
    parser = argparse.ArgumentParser(prog="matrix.py", description="Try other versions.")
    commands = parser.add_subparsers(dest="what", required=True)
    of_suite = commands.add_parser("suite", help="run tests on other versions")
    of_suite.add_argument("names", nargs="+", choices=SUITES)
    of_beside = commands.add_parser("beside", help="write what runs beside what")
    of_beside.add_argument("--at-once", type=int, default=2)
    of_suite.add_argument("--python", choices=["newest", *EXACT], default="newest")
    of_beside.set_defaults(python="3.13+")
    own, _, pytest = " ".join(argv).partition(" -- ")
    options = parser.parse_args(own.split())
    options.pytest = pytest.split()
    return options


def suite(name: str, python: Path, arguments: list[str]) -> int:
    """Run tests in an environment of versions that are lowest, newest, or not yet released."""
    home = HOME / name
    said = install(home, python, *SUITES[name], *ALL)
    if said:
        print(f"error: {name} cannot be installed: {said}", file=sys.stderr)
        return 2
    print(f"{name}: {shown(installed(home))}", file=sys.stderr)
    run = [str(home / "bin" / "python"), "-m", "pytest", *arguments]
    began_s = perf_counter()
    done = subprocess.run(run, check=False, cwd=ROOT, env=activated(home))
    took_min = (perf_counter() - began_s) / 60
    print(f"{name}: ended with {done.returncode} after {took_min:.0f} min", file=sys.stderr)
    return done.returncode


def beside(combination: Combination, python: Path) -> Outcome:
    """Put a combination together, and run the smoke test in it."""
    home = HOME / re.sub(r"[^\w.]+", "-", combination.packages)
    own = ("--editable", ".[host]", "pytest", "hypothesis")
    failure = install(home, python, *own, *combination.packages.split())
    if failure:
        return Outcome(combination.packages, {}, failure)
    tests = [str(home / "bin" / "python"), "-m", "pytest", "-q", "-rN", "--tb=line", SMOKE]
    environ = {**os.environ, "SMOKE_MODULES": " ".join(combination.modules)}
    command = [*tests, *combination.more, "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=environ, capture_output=True, text=True
    )
    failed = re.findall(r"^(?:E  +|/.*?:\d+: )(.*)", done.stdout, re.MULTILINE)
    failure = (failed or [done.stdout[-200:] or "nothing ran"])[0] if done.returncode else ""
    return outcome(combination.packages, home, failure)


def resolve(packages: str, python: Path) -> Outcome:
    """Put together what no test can be run beside."""
    home = HOME / re.sub(r"[^\w.]+", "-", packages)
    failure = install(home, python, "--editable", ".", *packages.split())
    return Outcome(packages, {}, failure) if failure else outcome(packages, home)


def install(home: Path, python: Path, *wanted: str) -> str:
    """Make an environment anew; return what conflicts, if anything does."""
    uv = needed_uv()
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", python, home], check=True)
    done = subprocess.run(
        [uv, "pip", "install", "--quiet", *wanted],
        check=False,
        cwd=ROOT,
        env=activated(home) | UV,
        capture_output=True,
        text=True,
    )
    return " ".join(done.stderr.split()) if done.returncode else ""


def outcome(packages: str, home: Path, failure: str = "") -> Outcome:
    """Say what came of a combination that was put together."""
    found = installed(home)
    return Outcome(pinned(packages, found), shown(found), failure)


def pinned(packages: str, found: dict[str, str]) -> str:
    """Name the version of each package that was asked for without one."""
    return " ".join(
        f"{each}=={found[each.lower()]}" if each.lower() in found else each
        for each in packages.split()
    )


def installed(home: Path) -> dict[str, str]:
    """Tell which version an environment has of each package, by its name in small letters."""
    code = (
        "import json, importlib.metadata as m;"
        "print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
    )
    done = subprocess.run([home / "bin" / "python", "-c", code], check=True, capture_output=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def shown(found: dict[str, str]) -> dict[str, str]:
    """Leave of the versions those of what matters most."""
    return {name: found[name] for name in SHOWN if name in found}


def page(outcomes: list[Outcome]) -> str:
    """Write the page of what was tried."""
    rows = "\n".join(
        f"| `{each.packages}` | {' | '.join(each.versions.get(name, '') for name in SHOWN)} "
        f"| {'fails: ' + each.failure.replace('|', '/') if each.failure else 'passes'} |"
        for each in outcomes
    )
    return f"""# Which versions go together

Written by `make compatibility`, which makes an environment of each row, without a conflict and with
the extra `host`, and runs a smoke test in it on Microsoft's library worker
(`{SMOKE}`): spans, records and measurements arrive once, in the host's
trace, from threads too, without secrets, and nothing is warned of. Packages that set up
OpenTelemetry are imported, not turned on: `make test` does that. The rows of Durable Functions 1.7
and of the agents' runtime run their integration tests, too; those of Durable Functions 2.0 are in
`make test`. The last row has no host, which needs a newer protobuf, and is only put together.

Last run: {datetime.now(tz=timezone.utc):%Y-%m-%d}, Python 3.13.

| beside funcscope | {" | ".join(SHOWN)} | |
|---|{"---|" * len(SHOWN)}---|
{rows}

On SDK 1.40 and 1.41 the SDK itself makes the spans of invocations, which costs more, and one line
says so and which SDK to use; invocations that are about to be killed are not told of, and outside Azure
workers have no instance id. Before 1.44 it has no limits of log records' own (`OTEL_LOGRECORD_*`), and
a forked child has its parent's instance id; before 1.45 it cuts the texts of records that the app makes with OpenTelemetry's API before secrets are taken out.
Older SDKs have no handler of log records that could be replaced.

CI runs the part of the suite that lives on the SDK on the lowest versions of all that funcscope
depends on directly (`make test-lowest`); `make test-matrix` runs all of it there, on the newest and on
pre-releases, without tests that need an environment beside (Azure Monitor's distro, Datadog and others,
which `make test` has). Tests of what only newer SDKs have say since which. Python 3.15 is known to
the scripts, and not declared: no test was run on it.
"""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
