"""The contexts of functions whose binding has the name of the worker's."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import wrapt

from funcscope.extensions import Function
from funcscope.extensions._invocation import Binding, trigger_metadata
from funcscope.extensions._workers.contexts import ContextCache


class Context:
    """A worker's context."""

    def __init__(self, name: str, invocation_id: str) -> None:
        self.function_name = name
        self.invocation_id = invocation_id


def function(name: str, trigger: str) -> Function:
    """Make a function with a trigger of a type."""
    bindings = (Binding("context", trigger, "in", {}),)
    return Function(name, "/app", is_async=False, qualified_name=name, bindings=bindings)


def worker() -> tuple[SimpleNamespace, ContextCache]:
    """Make what makes contexts in a worker, and what keeps them."""

    def get_context(request: Any, name: str, directory: str) -> Any:
        return Context(name, request.invocation_id)

    def decode(fi: object, inputs: object, trigger_metadata: object) -> None:
        """Decode nothing."""

    module = SimpleNamespace(get_context=get_context, decode=decode)

    def hook(contexts: ContextCache) -> None:
        wrapt.wrap_function_wrapper(module, "get_context", contexts.store)
        wrapt.wrap_function_wrapper(module, "decode", contexts.store_metadata)

    return module, ContextCache(hook)


def request(**sent: Any) -> SimpleNamespace:
    """Make an invocation's request."""
    return SimpleNamespace(invocation_id="0f8e", **sent)


def test_contexts_are_kept_as_long_as_the_worker_keeps_them() -> None:
    """An invocation's context is found by its id, until the worker lets it go."""
    module, contexts = worker()
    contexts.watch(function("entity", "entityTrigger"), has_context_binding=True)
    made = module.get_context(request(), "entity", "/app")

    assert contexts.get("0f8e") is made
    del made
    gc.collect()
    assert contexts.get("0f8e") is None


def test_others_cost_nothing() -> None:
    """Nothing is hooked for functions that get the worker's context as an argument."""
    module, contexts = worker()
    before = module.get_context
    contexts.watch(function("hello", "httpTrigger"), has_context_binding=False)

    assert module.get_context is before


def test_other_functions_are_left_alone() -> None:
    """Only the contexts of functions that were asked for are kept."""
    module, contexts = worker()
    contexts.watch(function("entity", "entityTrigger"), has_context_binding=True)
    made = module.get_context(request(), "hello", "/app")

    assert contexts.get("0f8e") is None
    assert vars(made) == {"function_name": "hello", "invocation_id": "0f8e"}


def test_metadata_of_the_request() -> None:
    """The trigger's metadata is told as text, from protobuf's values and from JSON."""
    module, contexts = worker()
    contexts.watch(function("work", "activityTrigger"), has_context_binding=False)
    sent = {"instanceId": SimpleNamespace(string="i-1"), "other": SimpleNamespace(json='"x"')}
    made = module.get_context(request(trigger_metadata=sent), "work", "/app")

    assert trigger_metadata(made, "instanceId") == "i-1"
    assert trigger_metadata(made, "other") == "x"
    assert trigger_metadata(made, "missing") is None


def test_metadata_that_was_decoded_before() -> None:
    """Where the request has none, it is what the thread decoded just before, and once only."""
    module, contexts = worker()
    contexts.watch(function("work", "activityTrigger"), has_context_binding=False)
    module.decode(None, [], {"instanceId": SimpleNamespace(value="i-1", type="string")})
    first = module.get_context(request(), "work", "/app")
    second = module.get_context(request(), "work", "/app")

    assert trigger_metadata(first, "instanceId") == "i-1"
    assert trigger_metadata(second, "instanceId") is None


def test_odd_context_is_the_workers_own_affair() -> None:
    """A context that cannot be kept is handed on all the same."""
    module = SimpleNamespace(get_context=lambda request, name, directory: 7)

    def hook(contexts: ContextCache) -> None:
        wrapt.wrap_function_wrapper(module, "get_context", contexts.store)

    contexts = ContextCache(hook)
    contexts.watch(function("entity", "entityTrigger"), has_context_binding=True)

    assert module.get_context(request(), "entity", "/app") == 7
