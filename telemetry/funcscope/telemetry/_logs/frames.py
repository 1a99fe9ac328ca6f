"""Stacks that an app logs, without the frames of this library."""

from __future__ import annotations

import re
from pathlib import Path

from funcscope import extensions

# Where a frame begins as `traceback` writes it: its source, and what points at it, follow
# (CPython 3.10 to 3.14).
_FRAME = re.compile(r'^(?=  File ")', re.MULTILINE)
_FOLDERS = (Path(__file__).parents[1], Path(extensions.__file__).parent)
_OWN_FILES = tuple(f'  File "{folder}' for folder in _FOLDERS)


def without_own_frames(stack: str) -> str:
    r"""
    Return a stack as it is without us: from whoever calls our function to the function in it.

    >>> own, app = f'{_OWN_FILES[0]}/x.py", line 1, in f\n    call()\n', '  File "app.py", line 2'
    >>> print(without_own_frames(f"Stack (most recent call last):\n{own}{app}"))
    Stack (most recent call last):
      File "app.py", line 2
    """
    return "".join(part for part in _FRAME.split(stack) if not part.startswith(_OWN_FILES))
