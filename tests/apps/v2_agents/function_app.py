"""An app of azurefunctions-agents-runtime: an agent of a queue, and one of a chat and of MCP."""

import os
from pathlib import Path

import funcscope.auto  # noqa: F401

if "START" in os.environ:
    from funcscope.telemetry import start

    start()

from azure_functions_agents import create_function_app

app = create_function_app(app_root=Path(__file__).parent)
