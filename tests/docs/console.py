"""The commands of one page, run one after another as a reader would paste them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.contrib.host.conftest import HostProcess
from tests.patience import PROCESS_S

APP = "path/to/app"
PORTS = {
    "7071": r"http://localhost:(\d+)/",
    "7080": r"traces on http://127\.0\.0\.1:(\d+)/",
    "4318": r"receiving OTLP/HTTP on http://127\.0\.0\.1:(\d+)",
}
"""Ports on the pages: commands get free ones in their place, and say which these are."""
FREE_PORTS = {"run": ["--port", "0"], "view": ["--port", "0", "--view-port", "0"]}
STARTED = {"run": r"http://localhost:\d+/|a debugger can connect", "view": PORTS["4318"]}
"""What a command that does not end prints when it can be used."""

VARYING = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?)"
    r"|(?P<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)"
    r"|(?P<id>\b[0-9a-f]{32}\b)"
    r"|(?P<duration>\b\d+(?:\.\d+)? ?ms\b)"
    r"|(?P<any>…)"
)
"""What need not be printed as the page has it: times, ids, durations, what `…` stands for."""


class Command(NamedTuple):
    """A command of a `console` block, and what the block says that it prints."""

    text: str
    output: str


def commands_of(text: str) -> list[Command]:
    """List the commands of a block; ValueError where it does not begin with one."""
    head, *parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    if head.strip() or not parts:
        raise ValueError(f"a block of commands begins with `$ `, and not with {head!r}")
    found = [re.fullmatch(r"((?:.*\\\n)*.*)\n?((?:.*\n?)*)", part) for part in parts]
    return [Command(each[1], each[2].strip("\n")) for each in found if each]


def pattern_of(output: str) -> re.Pattern[str]:
    """
    Make a pattern of printed lines, between which there may be others where an empty one is shown.

    The local host's may begin with the time.
    """
    lines = [_line(line.rstrip()) for line in output.splitlines()]
    return re.compile("\n".join(lines), re.MULTILINE)


def _line(shown: str) -> str:
    if shown.strip() in ("", "…"):
        return r"(?:.*\n)*?.*"
    parts, end = [], 0
    for found in VARYING.finditer(shown):
        parts.append(re.escape(shown[end : found.start()]))
        parts.append(_KINDS[str(found.lastgroup)])
        end = found.end()
    rest = re.escape(shown[end:])
    return rf"^(?:\[\S+Z\] )?{''.join(parts)}{rest}\s*?$"


_KINDS = {
    "time": r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:\d\d)?",
    "uuid": r"[0-9a-f-]{36}",
    "id": r"[0-9a-f]{32}",
    "duration": r"\d+(?:\.\d+)? ?ms",
    "any": r".*?",
}


class Console:
    """
    A shell in a folder, where `path/to/app` is an app.

    Attributes:
        printed: All that commands have printed, but for those that go on.
    """

    def __init__(self, folder: Path, app: Path) -> None:
        self.printed = ""
        self._folder = folder
        self._app = str(app)
        self._host: HostProcess | None = None
        (folder / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")

    def run(self, command: Command) -> None:
        """Run a command, and compare what it prints, if that is shown; `funcscope run` goes on."""
        if serving := re.match(r"((?:\w+=\S+ )*)funcscope (run|view)\b(.*)", command.text):
            self._serve(serving[1], serving[2], serving[3])
            if command.output:
                self.expect(command.output)
            return
        done = subprocess.run(
            ["sh", "-euc", self._here(command.text)], cwd=self._folder, env=self._environment(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PROCESS_S,
            check=False,
        )  # fmt: skip
        printed = self._on_the_page(done.stdout)
        self.printed += printed
        if command.output:
            expected = pattern_of(command.output)
            assert expected.fullmatch(printed.strip("\n")), f"{command.text}:\n{printed}"
        else:
            assert done.returncode == 0, f"{command.text}: exit code {done.returncode}\n{printed}"

    def expect(self, output: str) -> None:
        """Wait until these lines were printed, one after another, by any of the commands."""
        expected = pattern_of(output)
        if expected.search(self.printed):
            return
        assert self._host is not None, f"{output}\nis not in\n{self.printed}"
        is_there = self._host.wait_until(lambda text: expected.search(self._on_the_page(text)))
        assert is_there, f"{output}\nis not in\n{self._on_the_page(self._host.output)}"

    def _serve(self, settings: str, command: str, options: str) -> None:
        self.close()
        arguments = shlex.split(re.sub(r"--port \d+", "", self._here(options)))
        self._host = HostProcess(
            [command, *arguments, *FREE_PORTS[command]],
            {**self._environment(), **dict(each.split("=", 1) for each in shlex.split(settings))},
        )
        self._host.wait_for(STARTED[command])

    def close(self) -> None:
        """Stop what goes on."""
        if self._host is not None:
            self._host.stop()
            self.printed += self._on_the_page(self._host.output)
            self._host = None

    def _ports(self) -> dict[str, str]:
        """Return which port is used for each of the pages'."""
        output = self._host.output if self._host is not None else ""
        found = {port: re.search(said, output) for port, said in PORTS.items()}
        return {port: match[1] for port, match in found.items() if match}

    def _here(self, text: str) -> str:
        for shown, used in self._ports().items():
            text = re.sub(rf"\b{shown}\b", used, text)
        return text.replace(APP, self._app)

    def _on_the_page(self, text: str) -> str:
        for shown, used in self._ports().items():
            text = re.sub(rf"\b{used}\b", shown, text)
        text = re.sub("  waited .*? for a thread", "", text)  # as on a busy machine
        return text.replace(self._app, APP)

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_"))}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        return {**kept, "PATH": path, "HOME": str(self._folder)}
