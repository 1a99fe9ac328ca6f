"""
What funcscope costs, beside OpenTelemetry's SDK by hand and others: `make bench`.

Microsoft's library worker runs each variant in a process of its own, since OpenTelemetry's
providers are global and funcscope patches the worker's registry. All processes are there from the
start and take turns, in slices of a few hundred invocations, so that what else the machine does
falls on all of them. pyperf keeps the figures and their metadata, but its own runner measures one
benchmark after the other, so the turns are ours.

    python -m tests.benchmarks.compare --only latency --quick
    python -m tests.benchmarks.compare --profile funcscope
"""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks.crew import Crew
from tests.benchmarks.record import write
from tests.benchmarks.report import print_report
from tests.benchmarks.suites import FULL, FUNCTIONS, QUICK, SUITES, Series
from tests.benchmarks.variants import BY_NAME

PROFILED = 5000


def main(argv: list[str]) -> int:
    """Measure what is asked for; 1 where a target is missed and that counts."""
    options = parse(argv)
    if options.profile:
        return profile(options.profile, FUNCTIONS[options.function], options.profile_file)
    names = options.variants or list(BY_NAME)
    for name in [name for name in names if not BY_NAME[name].is_installed]:
        print(f"{name} is left out: its packages are not installed", file=sys.stderr)
        names = [other for other in names if other != name]
    series: Series = {}
    for suite in options.only or SUITES:
        print(f"measuring {suite} …", file=sys.stderr)
        series |= SUITES[suite](QUICK if options.quick else FULL, names)
    is_met = print_report(series)
    if options.write or not (options.quick or options.only or options.variants):
        write(series)
    return 1 if options.strict and not is_met else 0


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.compare")
    parser.add_argument("--quick", action="store_true", help="about two minutes in all")
    parser.add_argument("--only", action="append", choices=list(SUITES), help="this suite")
    parser.add_argument("--variants", type=_names, help="these variants, separated by commas")
    parser.add_argument("--write", action="store_true", help="rewrite the docs in any case")
    parser.add_argument("--strict", action="store_true", help="fail where a target is missed")
    parser.add_argument("--profile", choices=list(BY_NAME), help="profile one variant")
    parser.add_argument("--profile-file", default="", help="also keep the profile here")
    parser.add_argument("--function", choices=list(FUNCTIONS), default="async", help="profile this")
    return parser.parse_args(argv)


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in BY_NAME]:
        raise argparse.ArgumentTypeError(f"{unknown} are not known: {', '.join(BY_NAME)}")
    return names


def profile(name: str, function: str, file: str) -> int:
    """Profile one variant's invocations."""
    with Crew([name], has_one_core=True) as crew:
        worker = crew.workers[name]
        worker.ask("latency", function=function, count=PROFILED)
        plain = worker.ask("profile", function=function, count=PROFILED, file=file)
    print({key: f"{value * 1e6:.1f} µs" for key, value in plain.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
