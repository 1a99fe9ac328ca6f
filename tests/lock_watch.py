"""
Watch the locks of funcscope's own, in all tests: their order, and what runs while one is held.

Two locks that are taken in either order can stop two threads for ever; so can one that is held
while foreign code runs, which may wait for anything (docs/decisions/029). What is foreign and can
be seen from outside is looked at: log handlers, span processors, imports, threads that are started,
connections.
"""

from __future__ import annotations

import logging
import sys
import threading
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

OURS = "funcscope."
GATES = ("funcscope.telemetry._pipeline.shutdown",)
"""Modules with a lock that one thread takes for another to release: it guards nothing."""
_MAKERS = ("funcscope.extensions._forks",)
_EVENTS = {
    "import": "an import",
    "_thread.start_new_thread": "the start of a thread",  # from Python 3.12 on
    "_thread.start_joinable_thread": "the start of a thread",  # from Python 3.13 on
    "socket.connect": "a connection",
}
_make_lock, _make_reentrant = threading.Lock, threading.RLock


class Watched:
    """
    A lock that tells the watch when it is taken and released.

    Args:
        lock: The lock.
        name: Where it was made.
        watch: What is told.
    """

    def __init__(self, lock: Any, name: str, watch: LockWatch) -> None:  # of no public type
        self._lock = lock
        self._name = name
        self._watch = watch

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it."""
        taken = bool(self._lock.acquire(blocking, timeout))
        if taken:
            self._watch.take(self._name)
        return taken

    def release(self) -> None:
        """Release it."""
        self._lock.release()
        self._watch.release(self._name)

    def locked(self) -> bool:
        """Tell whether it is taken."""
        return bool(self._lock.locked())

    def __enter__(self) -> bool:
        """Take it."""
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        """Release it."""
        self.release()


class LockWatch:
    """
    Knows which locks each thread holds, and what was wrong about that.

    Attributes:
        faults: What was wrong, one sentence each.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._held = threading.local()
        self._followers: dict[str, set[str]] = {}
        self._is_watching_spans = False

    def start(self) -> None:
        """Watch all locks that are made from now on."""
        threading.Lock = self._making(_make_lock)  # type: ignore[assignment]
        threading.RLock = self._making(_make_reentrant)  # type: ignore[assignment]
        # What `handle` calls first: no frame of this is in the stacks that a test looks at.
        filters = self._before(logging.Handler.filter, "a log handler")
        logging.Handler.filter = filters  # type: ignore[method-assign]
        sys.addaudithook(self._audit)
        for name, module in list(sys.modules.items()):
            if name.startswith(OURS) and name not in GATES:
                self._watch_made(name, vars(module))

    def _watch_made(self, name: str, attributes: dict[str, Any]) -> None:
        """Watch the locks that a module has made by now."""
        for key, value in list(attributes.items()):
            if type(value) in (type(_make_lock()), type(_make_reentrant())):
                attributes[key] = Watched(value, f"{name}.{key}", self)

    def watch_spans(self) -> None:
        """Watch span processors, once the SDK is loaded: no test shall load it for this."""
        sdk = sys.modules.get("opentelemetry.sdk.trace")
        if sdk is None or self._is_watching_spans:
            return
        self._is_watching_spans = True
        for name in ("on_start", "on_end"):
            owner = sdk.SynchronousMultiSpanProcessor
            setattr(owner, name, self._before(getattr(owner, name), "a span processor"))

    def take(self, name: str) -> None:
        """Note that this thread has taken a lock, and after which."""
        held = self._held_here()
        for known in held:
            if known != name and name not in self._followers.setdefault(known, set()):
                self._followers[known].add(name)
                if self._leads_to(name, known):
                    self.faults.append(f"{known} and {name} are taken in either order")
        held.append(name)

    def release(self, name: str) -> None:
        """Note that this thread has released one."""
        held = self._held_here()
        if name in held:
            held.reverse()
            held.remove(name)
            held.reverse()

    def check(self, what: str) -> None:
        """Note what runs while a lock is held."""
        held = self._held_here()
        if held:
            self.faults.append(f"{what} runs while {', '.join(held)} is held, {_place()}")

    def _held_here(self) -> list[str]:
        names: list[str] | None = getattr(self._held, "names", None)
        if names is None:
            names = self._held.names = []
        return names

    def _leads_to(self, name: str, wanted: str) -> bool:
        waiting, seen = [name], {name}
        while waiting:
            for follower in self._followers.get(waiting.pop(), ()):
                if follower == wanted:
                    return True
                if follower not in seen:
                    seen.add(follower)
                    waiting.append(follower)
        return False

    def _making(self, make: Callable[[], Any]) -> Callable[[], Any]:
        def lock() -> Any:
            frame = sys._getframe(1)
            module = _module(frame)
            if module in _MAKERS and frame.f_back is not None:
                frame = frame.f_back
                module = _module(frame)
            if not module.startswith(OURS) or module in GATES:
                return make()
            return Watched(make(), f"{module}:{frame.f_lineno}", self)

        return lock

    def _before(self, call: Callable[..., Any], what: str) -> Callable[..., Any]:
        @wraps(call)
        def checked(*args: Any, **kwargs: Any) -> Any:
            self.check(what)
            return call(*args, **kwargs)

        return checked

    def _audit(self, event: str, _args: tuple[object, ...]) -> None:
        if event in _EVENTS:
            self.check(_EVENTS[event])


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _place() -> str:
    """Return where code of ours is at the moment."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _module(frame).startswith(OURS):
        frame = frame.f_back
    return "elsewhere" if frame is None else f"in {_module(frame)}:{frame.f_lineno}"
