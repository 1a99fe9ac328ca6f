"""What is registered: derived classes, modules imported again, and what is switched off."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import azure.functions as func
import pytest
from tests.extended import call_extended

from funcscope.extensions import (
    AppExtension,
    ExtensionError,
    FuncExtension,
    Function,
    Invocation,
    Step,
    status,
)
from funcscope.extensions._errors import Faults
from funcscope.extensions._lifecycle.registry import registry

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

Make = Callable[..., Invocation]

MODULE = """
import azure.functions as func
from funcscope.extensions import AppExtension, FuncExtension
from funcscope.telemetry import Timing
import builtins

class Old(func.AppExtensionBase):
    @classmethod
    def pre_invocation_app_level(cls, *args, **kwargs):
        builtins.log.append("old")

class New(AppExtension):
    @classmethod
    def around_invocation(cls, invocation):
        builtins.log.append("new")
        yield

class OldFunc(func.FuncExtensionBase):
    def __init__(self, path):
        super().__init__(path)
        self.calls = 0
    def pre_invocation(self, *args, **kwargs):
        self.calls += 1
        builtins.log.append("old func")

class NewFunc(FuncExtension):
    def around_invocation(self, invocation):
        builtins.log.append("new func")
        yield

OldFunc("/app/hello/__init__.py")
NewFunc("hello")
Timing("hello")
"""


def run(invocation: Invocation, function: Callable[..., object] = lambda: "r") -> object:
    """Run a call with all that is registered for its function."""
    returned: object = call_extended(invocation, function)
    return returned


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what the module's extensions say."""
    import builtins

    entries: list[str] = []
    monkeypatch.setattr(builtins, "log", entries, raising=False)
    monkeypatch.setenv("AzureWebJobsScriptRoot", "/app")
    return entries


@pytest.fixture
def import_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], ModuleType]]:
    """Import a module of extensions, each time as if it were the first."""
    import importlib

    (tmp_path / "app_with_extensions.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))

    def load() -> ModuleType:
        sys.modules.pop("app_with_extensions", None)
        return importlib.import_module("app_with_extensions")

    yield load
    sys.modules.pop("app_with_extensions", None)


def test_module_imported_again_registers_once(
    invocation: Make, log: list[str], import_again: Callable[[], ModuleType]
) -> None:
    """Extensions of a module that is imported again run once, be they old or new, app or func."""
    import_again()
    run(invocation())
    first = list(log)
    log.clear()
    import_again()
    run(invocation())

    assert first == ["new", "old", "new func", "old func"]
    assert log == first


def test_library_class_of_a_module_imported_again(
    invocation: Make,
    log: list[str],
    import_again: Callable[[], ModuleType],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An extension of a library's, made by a module that is imported again, runs once."""
    caplog.set_level("INFO")
    import_again()
    import_again()
    run(invocation())

    assert [r.name for r in caplog.records] == ["funcscope.timing"]


def test_derived_class_stands_for_its_parent(invocation: Make) -> None:
    """Deriving from a registered extension does not run the parent's hooks twice."""
    log: list[str] = []

    class Parent(func.AppExtensionBase):
        @classmethod
        def pre_invocation_app_level(cls, *_: object, **__: object) -> None:
            log.append(f"pre {cls.__name__}")

    class Child(Parent):
        @classmethod
        def post_invocation_app_level(cls, *_: object, **__: object) -> None:
            log.append(f"post {cls.__name__}")

    run(invocation())

    assert log == ["pre Child", "post Child"]


def test_derived_class_of_ours_stands_for_its_parent(invocation: Make) -> None:
    """The same holds for `around_invocation`, overridden or inherited."""
    log: list[str] = []

    class Parent(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            log.append(cls.__name__)
            yield

    class Child(Parent):
        """Inherits."""

    run(invocation())

    assert log == ["Child"]


def test_overridden_static_hook_runs_alone(invocation: Make) -> None:
    """A static hook that a derived class overrides runs in its parent's place."""
    log: list[str] = []

    class Parent(func.AppExtensionBase):
        @staticmethod
        def pre_invocation_app_level(*_: object, **__: object) -> None:
            log.append("parent")

    class Child(Parent):
        @staticmethod
        def pre_invocation_app_level(*_: object, **__: object) -> None:
            log.append("child")

    run(invocation())

    assert log == ["child"]


def test_switching_a_derived_class_off_leaves_its_parent(
    invocation: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the derived class off its parent runs; with the parent off neither does."""
    log: list[str] = []

    class Parent(func.AppExtensionBase):
        @classmethod
        def pre_invocation_app_level(cls, *_: object, **__: object) -> None:
            log.append(cls.__name__)

    class Child(Parent):
        """Inherits."""

    monkeypatch.setenv("FUNCSCOPE_DISABLE", "Child")
    run(invocation())
    monkeypatch.setenv("FUNCSCOPE_DISABLE", "Parent")
    run(invocation())
    registry.report_unmatched()

    assert log == ["Parent"]
    assert not caplog.records


def test_classes_that_a_factory_makes_all_run(invocation: Make) -> None:
    """Classes of one name, made by a factory of the module, are extensions of their own."""
    log: list[str] = []

    def note(tag: str) -> Callable[..., None]:
        return lambda *_, **__: log.append(tag)

    for tag in ("a", "b"):
        hook = classmethod(note(tag))
        type("Made", (func.AppExtensionBase,), {"pre_invocation_app_level": hook})
    run(invocation())

    assert log == ["a", "b"]


def test_static_hooks_of_a_derived_class_run_once(invocation: Make) -> None:
    """A static hook, which parent and child share, runs once."""
    log: list[str] = []

    class Parent(func.AppExtensionBase):
        @staticmethod
        def pre_invocation_app_level(*_: object, **__: object) -> None:
            log.append("pre")

    class Child(Parent):
        """Inherits."""

    run(invocation())

    assert log == ["pre"]


def test_instances_of_one_line_all_run(invocation: Make) -> None:
    """Extensions of one class on one function all run, as on classic, be they alike or not."""
    log: list[str] = []

    class Tagged(FuncExtension):
        def __init__(self, function: str, tag: str) -> None:
            super().__init__(function)
            self.tag = tag

        def around_invocation(self, invocation: Invocation) -> Step:
            log.append(self.tag)
            yield

    for tag in ("a", "b", "a"):
        Tagged("hello", tag)
    run(invocation())

    assert log == ["a", "b", "a"]


@pytest.mark.parametrize("setting", ["Loud", "loud", " Other , Loud "])
def test_switched_off(invocation: Make, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """An extension that `FUNCSCOPE_DISABLE` names does not run, and `status()` says so."""
    log: list[str] = []

    class Loud(AppExtension):
        @classmethod
        def pre_invocation_app_level(cls, *_: object, **__: object) -> None:
            log.append("pre")

        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            log.append("around")
            yield

    monkeypatch.setenv("FUNCSCOPE_DISABLE", setting)
    run(invocation())

    assert log == []
    (loud,) = (e for e in status().extensions if e.name == "Loud")
    assert loud.is_disabled
    assert loud.hooks == ("around_invocation", "pre_invocation_app_level")
    assert "extension Loud for all functions" in status().as_text()
    assert "switched off by FUNCSCOPE_DISABLE" in status().as_text()


def test_what_matches_nothing_is_named_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A function that was not loaded, and an extension that is not there, are named."""

    class Mine(FuncExtension):
        """Does nothing."""

    Mine("ordres")
    Mine("Orders")
    Mine()

    @Mine()
    def forgotten() -> None:
        """Is never registered."""

    monkeypatch.setenv("FUNCSCOPE_DISABLE", "Missing")
    for name in ("orders", "hello"):
        registry.loaded(Function(name, "/app", False, name), Faults(name))
    registry.report_unmatched()
    registry.report_unmatched()

    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 4
    assert messages[0] == (
        "extension Mine applies to function 'ordres', which was not loaded; "
        "there are: hello, orders"
    )
    assert "forgotten, which was not loaded" in messages[1]
    assert "Mine() at " in messages[2]
    assert "names no function and decorates none: give it a function's name" in messages[2]
    assert messages[3] == "FUNCSCOPE_DISABLE names 'missing', and no extension has that name"


def test_file_of_a_v2_app_is_explained(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`FuncExtensionBase(__file__)` in the v2 model is reported with what to do instead."""
    monkeypatch.setenv("AzureWebJobsScriptRoot", "/app")

    class Old(func.FuncExtensionBase):
        def __init__(self, path: str) -> None:
            super().__init__(path)

    Old("/app/function_app.py")
    registry.loaded(Function("hello", "/app", False, "hello"), Faults("hello"))
    registry.report_unmatched()

    assert "'function_app.py', which was not loaded (in the v2 model give" in caplog.text


def test_decorator_applies_under_every_name(invocation: Make) -> None:
    """A decorated function that is registered under two names has its extension under both."""
    log: list[str] = []

    class Mine(FuncExtension):
        def around_invocation(self, invocation: Invocation) -> Step:
            log.append(invocation.function_name)
            yield

    @Mine()
    def handler() -> str:
        return "r"

    registry.bind(handler, "other")
    registry.bind(handler, "hello")
    run(invocation(), handler)

    assert log == ["hello"]


def test_class_arguments_are_passed_on() -> None:
    """A base that takes class arguments, as Microsoft's metaclass lets it, may be derived from."""
    seen: list[object] = []

    class Base(AppExtension):
        def __init_subclass__(cls, tag: str = "", **kwargs: object) -> None:
            super().__init_subclass__(**kwargs)
            seen.append(tag)

    class Tagged(Base, tag="x"):
        """Passes one."""

    assert seen == ["x"]


@pytest.mark.parametrize("name", [42, "", b"orders", ["orders"]])
def test_name_that_is_none(name: object) -> None:
    """What is no name of a function is refused where it is written."""

    class Mine(FuncExtension):
        """Does nothing."""

    with pytest.raises(ExtensionError, match="is no function's name"):
        Mine(name)  # type: ignore[arg-type]


def test_named_extension_cannot_decorate() -> None:
    """An extension that names a function already refuses to decorate another."""

    class Mine(FuncExtension):
        """Does nothing."""

    with pytest.raises(ExtensionError, match="names a function already"):
        Mine("orders")(lambda: None)
    with pytest.raises(ExtensionError, match="is not a function"):
        Mine()(3)
