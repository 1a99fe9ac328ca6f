"""
Observers, which run around a call: of a generator, and of several others, nested.

docs/decisions/007 says why.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from funcscope.extensions._errors import INTERRUPTS, Reject
from funcscope.extensions._invocation import Invocation

if TYPE_CHECKING:
    from funcscope.extensions._errors import Faults

Step: TypeAlias = Generator[None, object, None]
"""An extension at work on one call: it yields once, where the function runs."""

ExtensionFunction: TypeAlias = Callable[[Invocation], Step]
"""An extension's `around_invocation`: makes the step for a call."""

BEFORE = "failed before its yield"
AFTER = "failed after its yield"
NO_GENERATOR = (
    "returned %s from around_invocation, which must be a generator function: "
    "write `yield` where the function is to run"
)
_OBSERVER = "funcscope_observer"
_NOT_MADE: Any = object()
_Token = TypeVar("_Token")


class Observer(Protocol[_Token]):
    """
    The shape of all that runs around a call (docs/decisions/040).

    Exceptions of an observer are reported, and change nothing else. An observer that rejects a
    call sets `is_rejected` of the invocation and raises `Reject`.
    """

    def begin(self, invocation: Invocation, /) -> _Token:
        """Look at a call that begins; `end` is given the token that this returns."""
        ...

    def end(
        self,
        invocation: Invocation,
        token: _Token,
        result: object,
        error: BaseException | None = None,
        /,
    ) -> object:
        """Look at the function's result or error, and leave it as it is."""
        ...


class NoExtension:
    """An observer where nothing is to run around a call."""

    def begin(self, invocation: Invocation) -> None:
        """Do nothing."""

    def end(self, *_: object) -> None:
        """Do nothing."""


class NamedObserver(NamedTuple):
    """An observer, and what reports call it."""

    name: str
    observer: Observer[Any]  # tokens are its own


def observing(get: Callable[[], Observer[_Token]]) -> ExtensionFunction:
    """
    Make an `around_invocation` of an observer, which the lifecycle calls as it stands.

    Args:
        get: Gets the observer, when the first call comes.
    """

    def around(_: Invocation) -> Step:  # never called, and a generator function by its looks
        yield

    vars(around)[_OBSERVER] = get
    return around


def observer_of(around: ExtensionFunction, name: str, faults: Faults) -> Observer[Any]:
    """Return the observer that an `around_invocation` was made of, or one that runs its steps."""
    get = getattr(around, _OBSERVER, None)
    return StepObserver(around, name, faults) if get is None else cast("Observer[Any]", get())


class StepObserver:
    """
    An observer that runs the steps of an `around_invocation`.

    It reports what goes wrong by itself, and raises nothing but `Reject` and interrupts.
    """

    __slots__ = ("_faults", "_name", "around")

    def __init__(self, around: ExtensionFunction, name: str, faults: Faults) -> None:
        self.around = around
        self._name = name
        self._faults = faults

    def begin(self, invocation: Invocation) -> Step | None:
        """
        Run a step up to its yield; None where it did not come there.

        Raises:
            Reject: A guard does not let the function run.
        """
        step = _NOT_MADE
        try:
            step = self.around(invocation)
            next(step)
        except StopIteration:
            self._faults.report(self._name, "did not yield in around_invocation")
        except Reject:
            invocation.is_rejected = True
            raise
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (no extension stops a function)
            self._faults.report(self._name, _what_failed(step), error)
        else:
            return step
        return None

    def end(
        self,
        _invocation: Invocation,
        step: Step | None,
        result: object,
        error: BaseException | None = None,
    ) -> None:
        """Send the function's result to the step, or throw its error into it."""
        if step is None:
            return
        if error is not None:
            self._throw(step, error)
            return
        try:
            step.send(result)
        except StopIteration:
            return
        except INTERRUPTS:
            raise
        except BaseException as raised:  # noqa: BLE001  (the function has its result)
            self._faults.report(self._name, AFTER, raised)
        else:
            self._close(step)

    def _throw(self, step: Step, error: BaseException) -> None:
        try:
            step.throw(error)
        except StopIteration:
            if not issubclass(type(error), Reject):
                self._faults.report(self._name, "swallowed the function's exception")
        except BaseException as raised:
            if _is_same(raised, error):
                return
            if issubclass(type(raised), INTERRUPTS):
                raise
            self._faults.report(self._name, AFTER, raised)
        else:
            self._close(step)

    def _close(self, step: Step) -> None:
        """End a step that yielded again."""
        self._faults.report(self._name, "yielded more than once in around_invocation")
        try:
            step.close()
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (it is finished either way)
            self._faults.report(self._name, "failed while it was closed", error)


def _what_failed(step: object) -> str:
    """Name the fault of an extension that failed before the function ran."""
    is_step = any("__next__" in vars(cls) for cls in type(step).__mro__)
    if step is _NOT_MADE or is_step:
        return BEFORE
    return NO_GENERATOR % type(step).__qualname__


def _is_same(raised: BaseException, thrown: BaseException) -> bool:
    """Whether a step let the error pass; a StopIteration leaves wrapped (PEP 479)."""
    if type(raised) is RuntimeError and issubclass(type(thrown), StopIteration):
        return raised.__cause__ is thrown
    return raised is thrown


_Begun: TypeAlias = "list[tuple[str, Observer[Any], Any]]"


class Observers:
    """
    Several observers as one, entered in order and left in reverse.

    Whatever one of them does, nothing here raises but a guard's `Reject` and interrupts: it is
    reported, and the others and the function go on.
    """

    __slots__ = ("_faults", "_observers")

    def __init__(self, observers: Sequence[NamedObserver], faults: Faults) -> None:
        self._observers = observers
        self._faults = faults

    def begin(self, invocation: Invocation) -> _Begun:
        """
        Begin each; those that have begun are ended where one rejects the call.

        Raises:
            Reject: A guard does not let the function run.
        """
        if invocation.outer_context is None:
            invocation.outer_context = copy_context()
        begun: _Begun = []
        for name, observer in self._observers:
            try:
                token = observer.begin(invocation)
            except BaseException as error:
                if invocation.is_rejected or issubclass(type(error), INTERRUPTS):
                    self.end(invocation, begun, None, error)
                    raise
                self._faults.report(name, BEFORE, error)
            else:
                begun.append((name, observer, token))
        return begun

    def end(
        self,
        invocation: Invocation,
        begun: _Begun,
        result: object,
        error: BaseException | None = None,
    ) -> None:
        """End each that has begun, innermost first; an error stays as it was."""
        saved = None if error is None else SavedException(error)
        while begun:
            name, observer, token = begun.pop()
            try:
                observer.end(invocation, token, result, error)
            except INTERRUPTS as interrupt:  # those further out see what the caller will
                self.end(invocation, begun, None, interrupt)
                raise
            except BaseException as raised:  # noqa: BLE001  (the function has its outcome)
                self._faults.report(name, AFTER, raised)
            finally:
                if saved is not None:
                    saved.restore()


# By the descriptors of BaseException itself: an exception's class may define any of these anew, or
# refuse to have them set, as a frozen dataclass does.
_PARTS = tuple(
    vars(BaseException)[name]
    for name in ("__traceback__", "__context__", "__cause__", "__suppress_context__")
)


class SavedException:
    """The parts of an exception that throwing it into a generator changes, to be put back."""

    __slots__ = ("_error", "_values")

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self._values = [part.__get__(error) for part in _PARTS]

    def restore(self) -> None:
        """Put them back."""
        for part, value in zip(_PARTS, self._values, strict=True):
            part.__set__(self._error, value)
