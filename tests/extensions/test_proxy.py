"""The proxy around the library workers: whose id its look-up finds. Stand-in: tests/proxy."""

from __future__ import annotations

import importlib
import sys
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from funcscope.extensions._workers.library import hook_proxy
from funcscope.extensions.integration import entered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from funcscope.extensions import Invocation

    Make = Callable[..., Invocation]

PROXY = Path(__file__).parents[1] / "proxy"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import the stand-in's dispatcher, in this process, for one test."""
    monkeypatch.syspath_prepend(str(PROXY))
    yield importlib.import_module("proxy_worker.dispatcher")
    for name in ("proxy_worker.dispatcher", "proxy_worker"):
        del sys.modules[name]


@pytest.mark.parametrize("order", ["A", "B", "C"])
@pytest.mark.parametrize("has_variable", [True, False])
def test_our_context_is_asked_first(
    proxy: Any, invocation: Make, monkeypatch: pytest.MonkeyPatch, order: str, has_variable: bool
) -> None:
    """In an invocation its id is found, and outside any what the proxy finds by itself."""
    monkeypatch.setattr(proxy, "ORDER", order)
    variable: ContextVar[str | None] = ContextVar("invocation_id", default=None)
    fields = {"invocation_id_cv": variable} if has_variable else {}
    proxy.reload_library_worker(SimpleNamespace(**fields))
    proxy.set_current_invocation_id("another's")
    by_itself = proxy.get_current_invocation_id()
    hook_proxy(proxy)

    assert proxy.get_current_invocation_id() == by_itself
    call = invocation()
    with entered(call):
        assert proxy.get_current_invocation_id() == call.id
    assert by_itself == (
        "another's" if order == "A" or (order, has_variable) == ("C", False) else None
    )


def test_a_proxy_that_looks_elsewhere(proxy: Any) -> None:
    """One without that look-up is left as it is."""
    del proxy.get_current_invocation_id
    before = dict(vars(proxy))
    hook_proxy(proxy)

    assert vars(proxy) == before
