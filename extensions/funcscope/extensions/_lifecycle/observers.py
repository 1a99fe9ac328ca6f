"""Run extensions around one call: in order, nested, and never in the function's way."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from funcscope.extensions._errors import INTERRUPTS, Reject
from funcscope.extensions._invocation import Invocation

if TYPE_CHECKING:
    from funcscope.extensions._errors import Faults

Step: TypeAlias = Generator[None, object, None]
"""An extension at work on one call: it yields once, where the function runs."""

Around: TypeAlias = Callable[[Invocation], Step]
"""What an extension is to the lifecycle: makes the step for a call."""


BEFORE = "failed before its yield"
AFTER = "failed after its yield"
NO_GENERATOR = (
    "returned %s from around_invocation, which must be a generator function: "
    "write `yield` where the function is to run"
)
_OBSERVER = "funcscope_observer"
_NOT_MADE: Any = object()
_Mark = TypeVar("_Mark")


class Observer(Protocol[_Mark]):
    """
    An extension that looks on, and never answers in the function's place.

    Where it is alone around a function, it is called as it stands, at a third of what a step
    costs (docs/decisions/022). What it raises is reported, and changes nothing else.
    """

    def begin(self, invocation: Invocation) -> _Mark:
        """Look at a call that begins; `end` is given what this returns."""
        ...

    def end(
        self,
        invocation: Invocation,
        mark: _Mark,
        result: object,
        error: BaseException | None = None,
    ) -> object:
        """Look at what the function returned, or raised, and leave that as it is."""
        ...


def observing(get: Callable[[], Observer[_Mark]]) -> Around:
    """
    Make an `around_invocation` of what gets an observer, when its first call comes.

    Its steps are for the calls in which the observer is not alone.
    """

    def around(invocation: Invocation) -> Step:
        observer = get()
        mark = observer.begin(invocation)
        try:
            result = yield
        except BaseException as error:
            observer.end(invocation, mark, None, error)
            raise
        observer.end(invocation, mark, result)

    vars(around)[_OBSERVER] = get
    return around


def observer_of(around: Around) -> Observer[Any] | None:
    """Return the observer that an `around_invocation` was made of; None for any other."""
    get = getattr(around, _OBSERVER, None)
    return None if get is None else cast("Observer[Any]", get())


@dataclass(frozen=True, slots=True, eq=False)
class Wrapper:
    """
    One extension's part in each call of a function.

    Attributes:
        name: What reports call it.
        around: Makes its step for a call.
        observer: What may be called in the step's place; None where nothing may.
    """

    name: str
    around: Around
    observer: Observer[Any] | None = None  # marks are its own


class Lone(NamedTuple):
    """An observer that is all there is around a function, and what reports call it."""

    name: str
    observer: Observer[Any]  # marks are its own


class Chain:
    """
    The steps of one call, entered in order and left in reverse.

    Whatever a step does, nothing here raises but a guard's `Reject`: a step that goes wrong is
    reported, and the others and the function go on.
    """

    __slots__ = ("_faults", "_open")

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._open: list[tuple[Wrapper, Step]] = []

    def enter(self, wrappers: Sequence[Wrapper], invocation: Invocation) -> None:
        """
        Run each step up to its yield.

        Raises:
            Reject: A guard does not let the function run.
        """
        for wrapper in wrappers:
            step = _NOT_MADE
            try:
                step = wrapper.around(invocation)
                next(step)
            except StopIteration:
                self._faults.report(wrapper.name, "did not yield in around_invocation")
            except Reject:
                invocation.is_rejected = True
                raise
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                self._faults.report(wrapper.name, _what_failed(step), error)
            else:
                self._open.append((wrapper, step))

    def succeed(self, result: object) -> None:
        """Send the function's result to every open step, innermost first."""
        try:
            while self._open:
                wrapper, step = self._open.pop()
                try:
                    step.send(result)
                except StopIteration:
                    continue
                except INTERRUPTS:
                    raise
                except BaseException as error:  # noqa: BLE001  (the function has its result)
                    self._faults.report(wrapper.name, AFTER, error)
                else:
                    self._close(wrapper, step)
        except INTERRUPTS as interrupt:  # the steps further out see what the caller will
            self.fail(interrupt)
            raise

    def fail(self, error: BaseException) -> None:
        """Throw an error into every open step, innermost first, and leave it as it was."""
        kept = Kept(error)
        try:
            while self._open:
                wrapper, step = self._open.pop()
                try:
                    step.throw(error)
                except StopIteration:
                    if not issubclass(type(error), Reject):
                        self._faults.report(wrapper.name, "swallowed the function's exception")
                except BaseException as raised:
                    if not _is_same(raised, error):
                        if issubclass(type(raised), INTERRUPTS):
                            raise
                        self._faults.report(wrapper.name, AFTER, raised)
                else:
                    self._close(wrapper, step)
                kept.restore(error)
        except INTERRUPTS as interrupt:
            kept.restore(error)
            self.fail(interrupt)
            raise

    def _close(self, wrapper: Wrapper, step: Step) -> None:
        """End a step that yielded again."""
        self._faults.report(wrapper.name, "yielded more than once in around_invocation")
        try:
            step.close()
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (it is finished either way)
            self._faults.report(wrapper.name, "failed while it was closed", error)


def _what_failed(step: object) -> str:
    """Say what was wrong with an extension that failed before the function ran."""
    if step is _NOT_MADE or is_step(step):
        return BEFORE
    return NO_GENERATOR % type(step).__qualname__


def is_step(made: object) -> bool:
    """Tell whether what an extension made for a call can be run at all."""
    return any("__next__" in vars(cls) for cls in type(made).__mro__)


# By the descriptors of BaseException itself: an exception's class may define any of these anew, or
# refuse to have them set, as a frozen dataclass does.
_PARTS = tuple(
    vars(BaseException)[name]
    for name in ("__traceback__", "__context__", "__cause__", "__suppress_context__")
)


class Kept:
    """What throwing an exception into a generator changes about it, to be put back."""

    __slots__ = ("_values",)

    def __init__(self, error: BaseException) -> None:
        self._values = [part.__get__(error) for part in _PARTS]

    def restore(self, error: BaseException) -> None:
        for part, value in zip(_PARTS, self._values, strict=True):
            part.__set__(error, value)


def _is_same(raised: BaseException, thrown: BaseException) -> bool:
    """Tell whether a step let the error pass; a StopIteration leaves wrapped (PEP 479)."""
    if type(raised) is RuntimeError and issubclass(type(thrown), StopIteration):
        return raised.__cause__ is thrown
    return raised is thrown
