"""Turning it on."""

from __future__ import annotations

import threading

from funcscope.contrib.web._apps import watch_apps
from funcscope.contrib.web._fastapi import join_fastapi
from funcscope.contrib.web._instrumentations import join_instrumentations
from funcscope.contrib.web._streams import watch_streams

_lock = threading.Lock()
_installed: list[bool] = []


def install() -> None:
    """Record the routes of web frameworks from now on; calling it again changes nothing."""
    with _lock:
        if _installed:
            return
        _installed.append(True)
    watch_apps()
    join_instrumentations()
    join_fastapi()
    watch_streams()
