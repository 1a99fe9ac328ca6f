"""Microsoft's bases and ours, registered and run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import azure.functions as func
import pytest
from azure.functions.extension import ExtensionMeta
from tests.extended import call_extended

from funcscope.extensions import (
    AppExtension,
    ExtensionError,
    FuncExtension,
    Function,
    Invocation,
    Step,
)
from funcscope.extensions._errors import Faults
from funcscope.extensions._lifecycle.registry import registry
from funcscope.extensions._workers.ids import WorkerIds
from funcscope.extensions._workers.wrapping import Lifecycle

if TYPE_CHECKING:
    import logging
    from pathlib import Path

Make = Callable[..., Invocation]


def run(invocation: Invocation, function: Callable[..., object] = lambda **_: "r") -> object:
    """Run a call with all that is registered for its function."""
    returned: object = call_extended(invocation, function)
    return returned


class Log(list[str]):
    """What hooks were called, in order."""

    def app(self, name: str) -> type[func.AppExtensionBase]:
        """Define an app-level extension of Microsoft's interface."""
        log = self

        class Extension(func.AppExtensionBase):
            @classmethod
            def post_function_load_app_level(
                cls, function_name: str, function_directory: str, *_: object, **__: object
            ) -> None:
                log.append(f"{name} load {function_name} {function_directory}")

            @classmethod
            def pre_invocation_app_level(
                cls,
                logger: logging.Logger,
                context: func.Context,
                func_args: dict[str, object] | None = None,
                *_: object,
                **__: object,
            ) -> None:
                log.append(f"{name} pre {context.invocation_id} {func_args} {logger.name}")

            @classmethod
            def post_invocation_app_level(
                cls,
                logger: logging.Logger,
                context: func.Context,
                func_args: dict[str, object] | None = None,
                func_ret: object = None,
                *_: object,
                **__: object,
            ) -> None:
                log.append(f"{name} post {func_ret}")

        return Extension

    def function(self, name: str, trigger: str, root: Path) -> object:
        """Create a function-level extension of Microsoft's interface."""
        log = self

        class Extension(func.FuncExtensionBase):
            def __init__(self, file_path: str) -> None:
                super().__init__(file_path)

            def post_function_load(
                self, function_name: str, function_directory: str, *_: object, **__: object
            ) -> None:
                log.append(f"{name} load {function_name}")

            def pre_invocation(
                self,
                logger: logging.Logger,
                context: func.Context,
                func_args: dict[str, object] | None = None,
                *_: object,
                **__: object,
            ) -> None:
                log.append(f"{name} pre")

            def post_invocation(
                self,
                logger: logging.Logger,
                context: func.Context,
                func_args: dict[str, object] | None = None,
                func_ret: object = None,
                *_: object,
                **__: object,
            ) -> None:
                log.append(f"{name} post {func_ret}")

        return Extension(str(root / trigger / "__init__.py"))


def test_classic_order(invocation: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """App pre, func pre, function, func post, app post; within a level as registered."""
    monkeypatch.setenv("AzureWebJobsScriptRoot", str(tmp_path))
    log = Log()
    log.app("a")
    log.app("b")
    log.function("f", "Hello", tmp_path)
    run(invocation(x=1))

    assert [entry.split()[:2] for entry in log] == [
        ["a", "pre"],
        ["b", "pre"],
        ["f", "pre"],
        ["f", "post"],
        ["a", "post"],
        ["b", "post"],
    ]
    assert log[0] == "a pre 0f8e {'x': 1} azure_functions_worker.extension.Extension"
    assert log[3] == "f post r"


def test_load_hooks_run_function_level_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On load the function-level hook runs, then the app-level one."""
    monkeypatch.setenv("AzureWebJobsScriptRoot", str(tmp_path))
    log = Log()
    log.app("a")
    log.function("f", "hello", tmp_path)
    registry.loaded(Function("hello", "/app", False, "app.hello"), Faults("hello"))

    assert log == ["f load hello", "a load hello /app"]


def test_post_hooks_run_only_when_the_function_returned(invocation: Make) -> None:
    """A function that raises is followed by no post hook, as on the classic worker."""
    log = Log()
    log.app("a")

    def fail() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        run(invocation(), fail)

    assert [entry.split()[1] for entry in log] == ["pre"]


def test_failing_hook_stands_alone(invocation: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A hook that raises is logged with its extension's name; the other hooks run."""
    log = Log()

    class Broken(func.AppExtensionBase):
        @classmethod
        def pre_invocation_app_level(cls, *_: object, **__: object) -> None:
            raise LookupError("broken")

    log.app("a")

    assert run(invocation()) == "r"
    assert [entry.split()[1] for entry in log] == ["pre", "post"]
    assert len(caplog.records) == 1
    assert "failed in its pre hook" in caplog.text


def test_around_encloses_the_hooks_of_its_level(invocation: Make) -> None:
    """`around_invocation` begins before the standard hooks of its level and ends after them."""
    log = Log()
    log.app("a")

    class Around(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            log.append(f"around {invocation.function_name}")
            result = yield
            log.append(f"around {result}")

    run(invocation())

    assert [entry.split()[:2] for entry in log] == [
        ["around", "hello"],
        ["a", "pre"],
        ["a", "post"],
        ["around", "r"],
    ]


def test_function_level_applies_to_its_function_alone(invocation: Make) -> None:
    """A `FuncExtension` runs for the function it names, in any case, and for no other."""
    log: list[str] = []

    class Mine(FuncExtension):
        def around_invocation(self, invocation: Invocation) -> Step:
            log.append(invocation.function_name)
            yield

    Mine("HELLO")
    Mine("other")
    run(invocation())

    assert log == ["hello"]


def test_function_level_finds_a_v1_function_by_file(tmp_path: Path) -> None:
    """`__file__` in or below the folder that has function.json names that folder's function."""
    folder = tmp_path / "Orders" / "lib"
    folder.mkdir(parents=True)
    (tmp_path / "Orders" / "function.json").write_text("{}")

    class Mine(FuncExtension):
        """Does nothing."""

    assert Mine(str(tmp_path / "Orders" / "__init__.py")).function_name == "Orders"
    assert Mine(str(folder / "code.py")).function_name == "Orders"


def test_file_of_a_v2_app_is_refused(tmp_path: Path) -> None:
    """`__file__` of function_app.py matches no function: the error says what to give instead."""

    class Mine(FuncExtension):
        """Does nothing."""

    with pytest.raises(ExtensionError, match="give the function's name instead of __file__"):
        Mine(str(tmp_path / "function_app.py"))


def test_our_bases_are_microsofts() -> None:
    """What is written for our bases is registered where Microsoft's worker looks."""

    class Mine(AppExtension):
        """Does nothing."""

    assert issubclass(AppExtension, func.AppExtensionBase)
    assert issubclass(FuncExtension, func.FuncExtensionBase)
    hooks = ExtensionMeta.get_application_hooks()
    assert hooks is not None
    assert [hook.ext_name for hook in hooks.pre_invocation_app_level] == ["Mine"]


def test_extension_registered_late_takes_part(invocation: Make) -> None:
    """What is registered after a function was called takes part in its next call, of any kind."""
    log, given = Log(), invocation()
    ids = WorkerIds(given.context.thread_local_storage)
    lifecycle = Lifecycle(given.function, wants_context=False, has_context_binding=False, ids=ids)
    call = partial(lifecycle.wrap(lambda **_: "r"), context=given.context)

    def later() -> None:
        class App(AppExtension):
            @classmethod
            def around_invocation(cls, invocation: Invocation) -> Step:
                log.append("our app")
                yield

    def later_for_one() -> None:
        class Later(FuncExtension):
            def around_invocation(self, invocation: Invocation) -> Step:
                log.append("our func")
                yield

        Later(given.function_name)

    counts = []
    for register in (lambda: None, lambda: log.app("theirs"), later, later_for_one):
        register()
        log.clear()
        call()
        counts.append([line.split(" pre")[0] for line in log if "post" not in line])

    assert counts == [
        [],
        ["theirs"],
        ["our app", "theirs"],
        ["our app", "theirs", "our func"],
    ]
