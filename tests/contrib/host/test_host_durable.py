"""What the local host says of durable functions, which it does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contrib.host.conftest import HostProcess

pytestmark = pytest.mark.library_worker

# Microsoft's own example, without its comments:
# https://learn.microsoft.com/azure/azure-functions/durable/quickstart-python-vscode
STARTER = """
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="orchestrators/{functionName}")
@app.durable_client_input(client_name="client")
async def http_start(req: func.HttpRequest, client):
    instance_id = await client.start_new(req.route_params.get("functionName"))
    return client.create_check_status_response(req, instance_id)

@app.orchestration_trigger(context_name="context")
def hello_orchestrator(context):
    return [(yield context.call_activity("hello", "Seattle"))]

@app.activity_trigger(input_name="city")
def hello(city: str):
    return "Hello " + city
"""


def test_durable_client_is_named(run_host: Callable[..., HostProcess], tmp_path: Path) -> None:
    """A starter that fails for want of a task hub is told so, on the request's line and above."""
    pytest.importorskip("azure.durable_functions")
    (tmp_path / "function_app.py").write_text(STARTER, encoding="utf-8")
    host = run_host(tmp_path)

    status, _, answer = host.fetch("/api/orchestrators/hello_orchestrator")

    said = r"input 'client' \(durableClient\) was empty: there is no task hub here: run durable"
    assert status == 500
    host.wait_for(rf"^\[.*\] {said}")
    host.wait_for(rf"^GET /api/orchestrators/hello_orchestrator → 500 .*{said}")
    assert "no task hub" in answer
    assert host.stop() == 0
