"""Stands in for a model: OpenAI's Responses API on loopback, as openai 2.54 asks it."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Model(ThreadingHTTPServer):
    """Has a tool called first, and says something once it has what came of that."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Any] = []

    @property
    def environ(self) -> dict[str, str]:
        """The app settings with which agents ask this one."""
        return {
            "AZURE_FUNCTIONS_AGENTS_PROVIDER": "openai",
            "OPENAI_API_KEY": "k3y",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{self.server_port}/v1",
        }


class _Handler(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked)
        has_result = any(item.get("type") == "function_call_output" for item in asked["input"])
        answer = json.dumps(_response(asked["model"], _SAYS if has_result else _CALLS)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name)
        """Say nothing."""


_CALLS = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "price",
    "arguments": '{"order": "17"}',
    "status": "completed",
}
_SAYS = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "it is 12 euros", "annotations": []}],
}


def _response(model: str, output: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": model,
        "status": "completed",
        "output": [output],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
