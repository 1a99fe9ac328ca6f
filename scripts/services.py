"""
Run a command with real servers beside it: PostgreSQL and redis as Debian has them, and Azurite.

    python3 scripts/services.py -- python -m pytest tests/services
    python3 scripts/services.py --set-up-node

What is not installed is fetched into `.venv/services` first, which needs no root: packages of
Debian's are unpacked there, and npm installs Azurite. The servers run on free ports of loopback,
with passwords made for this once, in a folder of their own that goes with them. They are stopped
whatever comes of the command, which finds their addresses in `TEST_SERVICES`, as JSON. Tests of
the local host run an Azurite of their own (`tests/azurite.py`).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(__file__).resolve().parent.parent / ".venv" / "services"
UNPACKED = HOME / "debian"
NODE_MODULES = HOME / "npm" / "node_modules"
AZURITE = "azurite@3.35.0"  # the last that runs on Node.js 20
PARSERS = ["@kusto/language-service-next@12.4.1", "@prometheus-io/lezer-promql@0.315.0"]
KINDS = ("blob", "queue", "table")
REQUESTS = "azurite-requests.log"
START_S = 60


class MissingServerError(Exception):
    """A server can neither be found nor be fetched; the message says which, and why."""


def main(argv: list[str]) -> int:
    """Fetch what is missing; run the command, or none with `--set-up` and `--set-up-node`."""
    if argv == ["--set-up-node"]:
        return set_up_node()
    try:
        postgres, redis, azurite = find_postgres(), find_redis(), find_azurite()
    except MissingServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if argv == ["--set-up"]:
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="funcscope-")))
        folder.chmod(0o755)
        services = {
            "postgres": running.enter_context(run_postgres(postgres, folder)),
            "redis": running.enter_context(run_redis(redis, folder)),
            "azurite": running.enter_context(run_azurite(azurite, folder, ["shop"]))["shop"],
            "azurite_log": str(folder / REQUESTS),
        }
        environ = {**os.environ, "TEST_SERVICES": json.dumps(services)}
        return subprocess.call(argv[argv[0] == "--" :], env=environ)


def find_postgres() -> Path:
    """Return the folder with `initdb` and `postgres`, which is on no PATH."""
    programs = "usr/lib/postgresql/*/bin"
    if not (found := sorted([*Path("/").glob(programs), *UNPACKED.glob(programs)])):
        unpack("postgresql")
        found = sorted(UNPACKED.glob(programs))
    if found:
        return found[-1]
    raise MissingServerError("PostgreSQL is not in Debian's package postgresql")


def find_redis() -> Path:
    """Return redis's server."""
    if (found := shutil.which("redis-server")) is not None:
        return Path(found)
    server = UNPACKED / "usr/bin/redis-server"
    if not server.exists():
        unpack("redis-server")
    return server


def set_up_node() -> int:
    """Install what Node.js runs for tests, where it is; say that it is left out where not."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        print("Node.js is not here: tests that need it will be skipped", file=sys.stderr)
        return 0
    try:
        find_azurite()
        if not all((NODE_MODULES / name.rpartition("@")[0]).exists() for name in PARSERS):
            install(*PARSERS)
    except MissingServerError as error:
        print(f"tests that need Node.js will be skipped: {error}", file=sys.stderr)
    return 0


def find_azurite(*, fetch: bool = True) -> Path:
    """Return Azurite's script, which Node.js runs; it is there in the end where it is fetched."""
    script = NODE_MODULES / "azurite/dist/src/azurite.js"
    if fetch and not script.exists():
        install(AZURITE)
    return script


def install(*packages: str) -> None:
    """Install packages of npm's."""
    NODE_MODULES.mkdir(parents=True, exist_ok=True)
    print(f"installing {', '.join(packages)} …", file=sys.stderr)
    quiet = ["--silent", "--no-audit", "--no-fund"]
    output("npm", "install", *quiet, "--prefix", str(NODE_MODULES.parent), *packages)


def unpack(package: str) -> None:
    """Unpack a package of Debian's, and what it needs that is not installed, into our folder."""
    print(f"fetching {package} …", file=sys.stderr)
    no = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"]
    listed = ["apt-cache", "depends", "--recurse", *(f"--no-{kind}" for kind in no), package]
    if os.geteuid() == 0:
        output("apt-get", "-qq", "update")
    names = ("lib", "postgresql", "redis")  # and not what sets them up on a machine
    needed = {name for name in output(*listed).splitlines() if name.startswith(names)}
    status = "${db:Status-Status} ${Package}\n"
    installed = {
        name
        for state, name in map(str.split, output("dpkg-query", "-W", "-f", status).splitlines())
        if state == "installed"
    }
    with tempfile.TemporaryDirectory() as folder:
        output("apt-get", "-qq", "download", *sorted(needed - installed), cwd=folder)
        for archive in sorted(Path(folder).glob("*.deb")):
            output("dpkg", "-x", str(archive), str(UNPACKED))


def output(*command: str, cwd: str | None = None) -> str:
    """Return what a command prints; without it nothing can be fetched."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd)
    except FileNotFoundError as error:
        raise MissingServerError(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split()) or f"exit status {error.returncode}"
        raise MissingServerError(f"`{' '.join(command[:3])}` has failed: {said}") from error
    return done.stdout


@contextlib.contextmanager
def run_postgres(programs: Path, folder: Path) -> Iterator[str]:
    """Run PostgreSQL, which refuses to be root; yield its URL."""
    data, password = folder / "postgres", secrets.token_hex(8)
    data.mkdir(mode=0o700)
    (secret := folder / "postgres-password").write_text(password)
    user = "nobody" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(data, user)
        shutil.chown(secret, user)
    init: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "app",
        "-A",
        "scram-sha-256",
        "--no-sync",
    ]
    init += ["--pwfile", secret, "--no-locale", "-E", "UTF8"]
    with (folder / "initdb.log").open("w") as log:
        subprocess.run(init, check=True, stdout=log, stderr=log, env=with_libraries(), user=user)
    port = free_port()
    command: list[object] = [
        programs / "postgres",
        "-D",
        data,
        "-F",
        "-h",
        "127.0.0.1",
        "-p",
        port,
        "-k",
        "",
    ]
    with running(folder / "postgres.log", command, "ready to accept connections", user=user):
        yield f"postgresql://app:{password}@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def run_redis(server: Path, folder: Path) -> Iterator[str]:
    """Run redis; yield its URL."""
    port, password = free_port(), secrets.token_hex(8)
    command: list[object] = [
        server,
        "--bind",
        "127.0.0.1",
        "--port",
        port,
        "--save",
        "",
        "--dir",
        folder,
    ]
    command += ["--requirepass", password]
    with running(folder / "redis.log", command, "Ready to accept connections"):
        yield f"redis://:{password}@127.0.0.1:{port}/0"


@contextlib.contextmanager
def run_azurite(script: Path, folder: Path, accounts: list[str]) -> Iterator[dict[str, str]]:
    """
    Run Azurite, in memory; yield each account's connection string.

    Its log of requests, with their headers, is the file `REQUESTS` of the folder.
    """
    keys = {name: base64.b64encode(secrets.token_bytes(48)).decode() for name in accounts}
    command: list[object] = ["node", script, "--inMemoryPersistence", "--debug", folder / REQUESTS]
    command += ["--disableTelemetry", "--skipApiVersionCheck"]
    for kind in KINDS:
        command += [f"--{kind}Host", "127.0.0.1", f"--{kind}Port", 0]
    environ = {"AZURITE_ACCOUNTS": ";".join(f"{name}:{key}" for name, key in keys.items())}
    log = folder / "azurite.log"
    with running(log, command, "Table service is successfully", environ=environ):
        ports = dict(
            re.findall(r"(\w+) service is \w+ listening at http://[\d.]+:(\d+)", log.read_text())
        )
        yield {name: connection_string(name, key, ports) for name, key in keys.items()}


def connection_string(account: str, key: str, ports: dict[str, str]) -> str:
    """Return the connection string of an account of Azurite's."""
    endpoints = "".join(
        f"{kind.title()}Endpoint=http://127.0.0.1:{ports[kind.title()]}/{account};"
        for kind in KINDS
    )
    return f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};{endpoints}"


@contextlib.contextmanager
def running(
    log: Path,
    command: list[object],
    ready: str,
    *,
    environ: dict[str, str] | None = None,
    user: str | None = None,
) -> Iterator[None]:
    """Run a server from when its log says that it is ready; end it and all that it started."""
    with log.open("w") as stream:
        server = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=with_libraries() | (environ or {}),
            start_new_session=True,
            user=user,
        )
    try:
        deadline = time.monotonic() + START_S
        while ready not in log.read_text():
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"error: {command[0]} does not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def with_libraries() -> dict[str, str]:
    """Return our environment, with the libraries that were unpacked."""
    places = (UNPACKED.glob(f"{lib}/*-linux-*") for lib in ("lib", "usr/lib"))
    folders = [str(path) for found in places for path in found]
    path = os.pathsep.join([*folders, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])])
    return {**os.environ, **({"LD_LIBRARY_PATH": path} if path else {})}


def free_port() -> int:
    """Find a port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
