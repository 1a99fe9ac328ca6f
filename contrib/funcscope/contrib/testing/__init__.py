"""
A pytest plugin: call a function as a worker would, and look at what it records.

    def test_orders(invoke, spans):
        result = invoke("orders", func.HttpRequest("GET", "/api/orders", body=b""))

        assert result.response.status_code == 200
        assert "load-model" in spans

Needs the extra `testing`. It is active where funcscope is installed, and costs nothing to tests
that use none of its fixtures: nothing else is loaded before that.
"""

from funcscope.contrib.testing._captured.captured import Captured, Logs, Metrics, Spans
from funcscope.contrib.testing._captured.records import Log, Point
from funcscope.contrib.testing._captured.result import Result
from funcscope.contrib.testing._errors import TestingError
from funcscope.contrib.testing._plugin import (
    funcscope,
    invoke,
    logs,
    metrics,
    pytest_addoption,
    pytest_assertrepr_compare,
    pytest_configure,
    pytest_runtest_makereport,
    pytest_sessionstart,
    pytest_unconfigure,
    spans,
)
from funcscope.contrib.testing._session import Funcscope

__all__ = [
    "Captured",
    "Funcscope",
    "Log",
    "Logs",
    "Metrics",
    "Point",
    "Result",
    "Spans",
    "TestingError",
    "funcscope",
    "invoke",
    "logs",
    "metrics",
    "pytest_addoption",
    "pytest_assertrepr_compare",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_sessionstart",
    "pytest_unconfigure",
    "spans",
]
