"""Changes of an app's files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from watchfiles import DefaultFilter, awatch  # pyright: ignore[reportUnknownVariableType] -- of trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchfiles import Change

_NAMES = frozenset({"function.json", "host.json", "local.settings.json", ".env"})

_logger = logging.getLogger(__name__)
_is_kept = DefaultFilter(
    ignore_dirs=(*DefaultFilter.ignore_dirs, "venv", "env", ".python_packages")
)


def _is_apps(change: Change, path: str) -> bool:
    """Tell whether an app is loaded from a file; those of environments and caches are none."""
    name = Path(path).name
    return (name.endswith(".py") or name in _NAMES) and bool(_is_kept(change, path))


async def watch(directory: Path, on_change: Callable[[set[str]], object]) -> None:
    """
    Tell changes of an app's files until this is cancelled.

    Args:
        directory: The app's.
        on_change: Called with the names of files that have changed, below the directory.
    """
    try:
        async for changes in awatch(
            directory, watch_filter=_is_apps, ignore_permission_denied=True
        ):
            on_change({str(Path(path).relative_to(directory)) for _, path in changes})
    except Exception as error:  # noqa: BLE001 -- the app is served without
        _logger.warning("files of the app are not watched any more: %r", error)
