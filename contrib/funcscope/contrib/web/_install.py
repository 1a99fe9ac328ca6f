"""Turning it on."""

from __future__ import annotations

import sys

from funcscope.contrib.web._apps import watch_apps
from funcscope.contrib.web._fastapi import join_fastapi
from funcscope.contrib.web._instrumentations import join_instrumentations, watch_instrumentations
from funcscope.contrib.web._streams import watch_streams
from funcscope.extensions.integration import lock_of

_lock = lock_of(sys.modules[__name__])
_installed: list[bool] = []


def install() -> None:
    """Record the routes of web frameworks from now on; calling it again changes nothing."""
    with _lock:
        is_first = not _installed
        _installed.append(True)
    if not is_first:
        join_instrumentations()
        return
    watch_apps()
    watch_instrumentations()
    join_fastapi()
    watch_streams()
