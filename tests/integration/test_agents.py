"""
Agents of azurefunctions-agents-runtime on real library workers, with a stand-in for their model.

They bring 150 MB and an older Durable Functions, so that `make compatibility` alone runs this.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripts.snippets import snippets_of
from tests.integration.model import Model

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

pytestmark = [
    pytest.mark.library_worker,
    pytest.mark.skipif(
        importlib.util.find_spec("azure_functions_agents") is None,
        reason="azurefunctions-agents-runtime is not installed: make compatibility",
    ),
]

CHAT = "/api/agents/chat/chat"
ASKED = json.dumps({"prompt": "order 17"})
OF_FRAMEWORK = ["invoke_agent", "chat", "execute_tool", "chat"]


@pytest.fixture
def model() -> Iterator[Model]:
    """Serve a model's answers on loopback."""
    with Model() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def below(result: Any, parent: Any) -> list[Any]:
    """Return the spans below one, in the order in which they began, each before those below it."""
    children = [span for span in result.spans if span.parent_id == parent.span_id]
    children.sort(key=lambda span: span.start_ns)
    return [each for child in children for each in (child, *below(result, child))]


@pytest.mark.parametrize(
    ("start", "of_runtime"), [("START", ["agent.run"]), ("NO_START", [])], ids=["start", "auto"]
)
def test_agents_are_seen(
    run: Runner, call: Caller, host: Any, model: Model, start: str, of_runtime: list[str]
) -> None:
    """
    Below an agent's invocation are its framework's spans, and its runtime's after `start()`.

    Of a queue, of a chat over an HTTP stream, and of MCP: in the host's trace, each with the tool
    that was called, whose log record has the invocation; nothing tells what the agent was told.
    """
    calls = [
        call("orders", input="order 17"),
        call(
            "agent_chat_builtin_chat",
            stream=CHAT,
            send=[ASKED],
            headers={"content-type": "application/json"},
        ),
        call("agent_chat_builtin_mcp", input=json.dumps({"arguments": json.loads(ASKED)})),
    ]
    environ = {start: "1", "PYTHONWARNINGS": "default", **model.environ}
    result = run("v2_agents", calls, path="protobuf", env=environ, keeps_opentelemetry=True)

    assert [outcome["ok"] for outcome in result.outcomes] == [True] * 3
    assert "it is 12 euros" in result.outcomes[1]["body"]
    assert "it is 12 euros" in result.outcomes[2]["value"]
    assert [result.span(index).kind for index in range(3)] == ["CONSUMER", "SERVER", "INTERNAL"]
    for index in range(3):
        span = result.span(index)
        assert (span.trace_id, span.parent_id) == host
        inside = below(result, span)
        assert [each.name.partition(" ")[0] for each in inside] == of_runtime + OF_FRAMEWORK
        (tool,) = (each for each in inside if each.name == "execute_tool price")
        (said,) = (log for log in result.messages(index) if log.body == "price of 17")
        assert (said.trace_id, said.span_id) == (host.trace_id, tool.span_id)
    assert len(result.spans) == 3 * (1 + len(of_runtime) + len(OF_FRAMEWORK))
    assert len(model.asked) == 6
    told = f"{result.spans}{result.logs}"
    assert "k3y" not in told
    assert "order 17" not in told


def test_an_agent_that_fails(run: Runner, call: Caller, model: Model) -> None:
    """An agent whose model cannot be asked fails, and says so once: in its invocation's span."""
    environ = {"START": "1", "PYTHONWARNINGS": "default", **model.environ, "OPENAI_API_KEY": ""}
    calls = [call("orders", input="order 17")]
    result = run("v2_agents", calls, path="native", env=environ, keeps_opentelemetry=True)
    (failure,) = (log for log in result.logs if log.event_name == "faas.invocation.exception")

    assert not result.outcomes[0]["ok"]
    assert result.span().status == "ERROR"
    assert failure.span_id == result.span().span_id


def test_page_shows_what_the_app_does() -> None:
    """The lines on the page are those of the app that these tests run."""
    (shown,) = (s for s in snippets_of("docs/reference/triggers.md") if s.language == "py")
    app = (Path(__file__).parents[1] / "apps" / "v2_agents" / "function_app.py").read_text()

    for line in filter(None, shown.text.splitlines()):
        assert line.removesuffix(")") in app
