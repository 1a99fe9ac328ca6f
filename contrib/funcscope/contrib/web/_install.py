"""Turning it on."""

from __future__ import annotations

from funcscope.contrib.web._apps import watch_apps
from funcscope.contrib.web._fastapi import join_fastapi
from funcscope.contrib.web._instrumentations import join_instrumentations, watch_instrumentations
from funcscope.contrib.web._streams import watch_streams
from funcscope.extensions.integration import Latch

_installed = Latch()


def install() -> None:
    """Record the routes of web frameworks from now on; calling it again changes nothing."""
    if not _installed.close():
        join_instrumentations()
        return
    watch_apps()
    watch_instrumentations()
    join_fastapi()
    watch_streams()
