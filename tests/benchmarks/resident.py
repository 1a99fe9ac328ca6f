"""This process's resident memory."""

from __future__ import annotations

import os
from pathlib import Path


def resident_bytes() -> int:
    """Return what is resident now; 0 where there is no /proc to ask."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
