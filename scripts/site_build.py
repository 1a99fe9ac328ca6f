"""
Build the documentation site from nothing: `make site`.

    python -m scripts.site_build [--serve PORT]

It is in `build/site`: a folder for each version, `versions.json`, which lists those that are there,
and a page that leads to the newest. Any warning of Sphinx's fails. With `--serve` the site is
served on this machine when it is built.

Pages are read on a forge as well, so they have no toctree, include or substitution: Sphinx reads a
copy of them, to which the navigation and the API's reference are added. Its own search is used, as it
needs no server; versions are a list that a script of ours fills, as themes leave that to hosts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

from scripts.site_pages import write_pages

ROOT = Path(__file__).resolve().parent.parent
SITE, STAGE = ROOT / "build" / "site", ROOT / "build" / "site-source"
_FORWARD = """\
<!doctype html>
<html lang="en">
<title>funcscope</title>
<link rel="icon" href="{newest}/_static/favicon.svg">
<meta http-equiv="refresh" content="0; url={newest}/index.html">
<a href="{newest}/index.html">funcscope {newest}</a>
"""


def main(argv: list[str]) -> int:
    """Build the site; return Sphinx's exit code."""
    parser = argparse.ArgumentParser(prog="site_build", description="Build the site.")
    parser.add_argument("--serve", type=int, metavar="PORT", help="serve it on 127.0.0.1")
    options = parser.parse_args(argv)
    shutil.rmtree(STAGE, ignore_errors=True)
    write_pages(STAGE)
    name = ".".join(version("funcscope").split(".")[:2])
    if failed := build(STAGE, SITE / name):
        return failed
    write_versions(SITE)
    print(f"the site is in {SITE.relative_to(ROOT)}")
    if options.serve is not None:
        serve(SITE, options.serve)
    return 0


def build(source: Path, target: Path) -> int:
    """Build a version's pages, where any warning fails; return the exit code."""
    shutil.rmtree(target, ignore_errors=True)
    strict = ["--fail-on-warning", "--nitpicky", "--quiet", "--jobs", "auto"]
    places = ["-c", str(ROOT / "docs"), "-d", str(source / ".doctrees"), str(source), str(target)]
    return subprocess.call([sys.executable, "-m", "sphinx", "-b", "html", *strict, *places])


def write_versions(site: Path) -> None:
    """List the versions that a site has a folder for, newest first, and lead to the newest."""
    folders = [index.parent.name for index in site.glob("*/index.html")]
    names = sorted(folders, key=lambda name: [int(part) for part in name.split(".")], reverse=True)
    (site / "versions.json").write_text(json.dumps(names) + "\n", "utf-8")
    (site / "index.html").write_text(_FORWARD.format(newest=names[0]), "utf-8")


def serve(site: Path, port: int) -> None:
    """Serve a site on this machine until it is interrupted."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"serving it on http://127.0.0.1:{server.server_port}/ (Ctrl+C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
