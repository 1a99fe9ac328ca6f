"""The spool on network shares: real ones, of a kernel that runs as a process (User-Mode Linux)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.patience import PROCESS_S

ROOT = Path(__file__).parents[3]
NEEDS = ["linux.uml", "modprobe", "smbd", "mount.cifs", "mount.nfs", "exportfs"]
"""Of Debian's user-mode-linux, kmod, samba, cifs-utils, nfs-common and nfs-kernel-server."""

SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@pytest.mark.skipif(
    not ("FUNCSCOPE_SHARES" in os.environ and all(shutil.which(c, path=SEARCH) for c in NEEDS)),
    reason="a network share is tried by FUNCSCOPE_SHARES=1, and needs user-mode-linux, kmod, "
    "samba, cifs-utils and nfs-kernel-server",
)
@pytest.mark.parametrize("share", ["cifs", "nfs4"])
def test_spool_on_a_network_share(share: str) -> None:
    """Leases, bounds and ends of processes hold where two machines have mounted one folder."""
    settings = {
        "mem": "1G",
        "rootfstype": "hostfs",
        "rootflags": "/",
        "init": f"{ROOT}/tests/shares/boot.sh",
        "SHARE": share,
        "REPO": str(ROOT),
        "PYTHON": sys.executable,
        "TESTS": "tests/telemetry/delivery/test_spool.py",
        "WHICH": "processes,lease,bounded,torn,nobody",
        "con": "null",
        "con0": "null,fd:1",
    }
    run = subprocess.run(
        ["linux.uml", "rw", "quiet", *(f"{name}={value}" for name, value in settings.items())],
        env={**os.environ, "PATH": SEARCH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PROCESS_S,
        check=False,
    )

    assert f"mounted: {share} {share}" in run.stdout, run.stdout
    assert "ended: 0" in run.stdout, run.stdout
