"""The plugin in pytest runs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

APP = """
import logging
import funcscope.auto
import azure.functions as func
from funcscope.telemetry import configure, timed

app = func.FunctionApp()
configure(capture_request_headers="x-tenant")
CLIENT = "the real one"

@app.route("orders")
def orders(req: func.HttpRequest) -> str:
    with timed("load-model"):
        logging.info("asked %s", CLIENT)
    if "fail" in req.url:
        raise ValueError("no such order")
    return "42"
"""

HELLO = """
import azure.functions as func

def request(url="https://app.net/api/orders"):
    return func.HttpRequest("GET", url, headers={"x-tenant": "t1"}, body=b"")
"""

needs_xdist = pytest.mark.skipif(find_spec("xdist") is None, reason="needs pytest-xdist")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Make a project with an app at its root."""
    pytester.makepyfile(function_app=APP, requests_of_tests=HELLO)
    pytester.makeini("[pytest]\nfilterwarnings = error\npythonpath = .\n")
    return pytester


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run pytest with the plugin in a process of its own."""
    return project.runpytest_subprocess(
        "-p", "funcscope.contrib.testing", "-p", "no:cacheprovider", *args
    )


def test_app_at_the_root(project: pytest.Pytester) -> None:
    """An app at the root is found without being named, and its `configure` holds in each test."""
    project.makepyfile(
        """
        import pytest
        from requests_of_tests import request

        @pytest.mark.parametrize("number", [1, 2])
        def test_orders(invoke, spans, logs, metrics, number):
            result = invoke("orders", request())
            assert result.response.get_body() == b"42"
            assert "load-model" in spans
            assert "asked" in logs
            assert metrics.value("faas.invocations") == 1
            assert result.span.attributes["http.request.header.x-tenant"] == ("t1",)
            assert spans.children(spans.one("GET /api/orders")) == [spans.one("load-model")]

        def test_patched(invoke, logs, monkeypatch):
            monkeypatch.setattr("function_app.CLIENT", "a fake")
            invoke("orders")
            assert "asked a fake" in logs
        """
    )
    run(project).assert_outcomes(passed=3)


def test_failing_test_shows_the_trace(project: pytest.Pytester) -> None:
    """A failing comparison shows the trace as a tree, and any other failure has it too."""
    project.makepyfile(
        """
        from requests_of_tests import request

        def test_in(invoke, spans):
            invoke("orders", request())
            assert "store-order" in spans

        def test_other(invoke):
            assert invoke("orders", request()).value == "43"

        def test_raises(invoke):
            invoke("orders", request("https://app.net/fail"))
        """
    )
    result = run(project, "-k", "test_in")
    result.stdout.re_match_lines(
        [
            r"E +AssertionError: assert 'store-order' in spans",
            r"E +trace [0-9a-f]{32}",
            r"E +└─ GET /api/orders  \[server, .* ms\]",
            r"E +└─ load-model  .*",
            r"E +└─ INFO  asked the real one",
        ]
    )
    assert "GET /api/orders" in run(project, "-k", "test_other").stdout.str()
    raised = run(project, "-k", "test_raises")
    raised.stdout.re_match_lines(
        [r".*ValueError: no such order", r".*GET /api/orders.*ERROR ValueError.*"]
    )
    assert "_worker.py" not in raised.stdout.str()


def test_machines_settings_do_not_count(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent where the machine's settings say; those that a conftest makes hold."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("FUNCSCOPE_LOG_LEVEL", "CRITICAL")
    monkeypatch.setenv("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=0")
    project.makeconftest("import os; os.environ['FUNCSCOPE_SPAN_KIND'] = 'host'")
    project.makepyfile(
        """
        import logging, os, socket
        from requests_of_tests import request

        def test_orders(invoke, spans, monkeypatch):
            def connect(*args):
                raise AssertionError(args)
            monkeypatch.setattr(socket.socket, "connect", connect)
            assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in os.environ
            result = invoke("orders", request())
            assert spans.one("function orders") is result.span
            assert "asked the real one" in result.logs

        def test_restored():
            assert os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:9"
            assert os.environ["OTEL_SDK_DISABLED"] == "true"
            assert os.environ["FUNCSCOPE_LOG_LEVEL"] == "CRITICAL"
            assert "AzureWebJobsScriptRoot" not in os.environ
            assert logging.root.level == logging.WARNING
            assert logging.Logger.callHandlers.__module__ == "logging"
        """
    )
    run(project).assert_outcomes(passed=2)


def test_v1_app_of_the_setting(pytester: pytest.Pytester) -> None:
    """The setting names the app, and a mark another one; both models run in one process."""
    pytester.makeini("[pytest]\nfilterwarnings = error\nfuncscope_app = first\n")
    for app, answer in (("first", "one"), ("second", "two")):
        folder = pytester.mkdir(app)
        (folder / "orders").mkdir()
        (folder / "shared.py").write_text(f"ANSWER = {answer!r}")
        (folder / "orders" / "function.json").write_text(
            '{"bindings": [{"name": "req", "type": "httpTrigger", "direction": "in"},'
            ' {"name": "$return", "type": "http", "direction": "out"}]}'
        )
        (folder / "orders" / "__init__.py").write_text(
            "from ..shared import ANSWER\ndef main(req) -> str:\n    return ANSWER\n"
        )
    (pytester.mkdir("third") / "function_app.py").write_text(APP)
    pytester.makepyfile(
        """
        import pytest

        def test_first(invoke):
            assert invoke("orders").value == "one"

        @pytest.mark.funcscope_app("second")
        def test_second(invoke):
            assert invoke("orders").value == "two"

        @pytest.mark.funcscope_app("third")
        def test_third(invoke, spans):
            assert invoke("orders").value == "42"
            assert "load-model" in spans

        def test_first_again(invoke):
            assert invoke("orders").value == "one"
        """
    )
    run(pytester).assert_outcomes(passed=4)


def test_functions_that_settings_leave_out(project: pytest.Pytester) -> None:
    """A function that a host leaves out is not called by its name, and the reason is told."""
    (project.path / "host.json").write_text("{}", "utf-8")
    project.makepyfile(
        """
        import pytest
        from function_app import orders
        from requests_of_tests import request

        @pytest.mark.parametrize("name, value, reason", [
            ("AzureWebJobs.orders.Disabled", "true", "disabled by setting"),
            ("AzureWebJobs_orders_Disabled", "1", "disabled by setting"),
            ("AzureFunctionsJobHost__functions__0", "bills", "host.json does not name it"),
        ])
        def test_left_out(invoke, monkeypatch, name, value, reason):
            monkeypatch.setenv(name, value)
            with pytest.raises(Exception, match=f"a host leaves function 'orders' out: .*{reason}"):
                invoke("orders", request())
            assert invoke(orders, request()).response.get_body() == b"42"

        def test_served(invoke, monkeypatch):
            monkeypatch.setenv("AzureWebJobs.orders.Disabled", "no")
            assert invoke("orders", request()).response.get_body() == b"42"
        """
    )

    run(project).assert_outcomes(passed=4)


def test_v1_functions_that_are_left_out(pytester: pytest.Pytester) -> None:
    """A v1 function that its files leave out is not imported, and a wrong one costs no other."""
    http = '"bindings": [{"type": "httpTrigger", "name": "req"}]'
    for name, content in {
        "off": f'{{"disabled": true, {http}}}',
        "by_setting": f'{{"disabled": "SHUT", {http}}}',
        "wrong": '{"bindings": []}',
    }.items():
        script = "raise RuntimeError" if name == "off" else "def main(req): return req.method"
        (pytester.mkdir(name) / "__init__.py").write_text(script, "utf-8")
        (pytester.path / name / "function.json").write_text(content, "utf-8")
    pytester.makepyfile(
        """
        import pytest
        from azure.functions import HttpRequest

        @pytest.mark.parametrize("name, reason", [
            ("off", "disabled by 'disabled' of its function.json"),
            ("by_setting", "disabled by setting 'SHUT'"),
            ("Wrong", "has no list of 'bindings'"),
        ])
        def test_left_out(invoke, monkeypatch, name, reason):
            monkeypatch.setenv("SHUT", "1")
            with pytest.raises(Exception, match=reason):
                invoke(name)

        def test_served(invoke):
            with pytest.raises(RuntimeError, match="without a .return binding"):
                invoke("by_setting", HttpRequest("GET", "https://app", body=b""))
        """
    )

    run(pytester).assert_outcomes(passed=4)


def test_no_app(pytester: pytest.Pytester) -> None:
    """Without an app, a name is answered with what was looked for, and where."""
    pytester.makepyfile("def test_orders(invoke):\n    invoke('orders')\n")
    result = run(pytester)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*TestingError: no function app in *expected function_app.py*"])


def test_providers_before_the_apps_own(project: pytest.Pytester) -> None:
    """Where the setting names the app, what it sets at import does not take the place of ours."""
    project.makeini("[pytest]\npythonpath = .\nfuncscope_app = .\n")
    with (project.path / "function_app.py").open("a") as app:
        app.write(
            "\nfrom opentelemetry import trace\n"
            "from opentelemetry.sdk.trace import TracerProvider\n"
            "from opentelemetry.sdk.resources import Resource\n"
            "trace.set_tracer_provider(TracerProvider(resource=Resource({'of': 'app'})))\n"
        )
    project.makepyfile(
        """
        import function_app

        def test_orders(invoke, spans):
            invoke(function_app.orders)
            assert "of" not in spans.one("load-model").resource.attributes
        """
    )
    run(project).assert_outcomes(passed=1)


def test_beside_the_apps_own_provider(project: pytest.Pytester) -> None:
    """Where an app's provider was there first, its spans are seen all the same."""
    project.makepyfile(
        """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        trace.set_tracer_provider(TracerProvider())
        import function_app

        def test_orders(invoke, spans):
            invoke(function_app.orders)
            assert "load-model" in spans
        """
    )
    run(project).assert_outcomes(passed=1)


@needs_xdist
def test_under_xdist(project: pytest.Pytester) -> None:
    """Tests in several processes are each other's neighbours without a trace."""
    project.makepyfile(
        """
        import pytest
        from requests_of_tests import request

        @pytest.mark.parametrize("number", range(8))
        def test_orders(invoke, spans, metrics, worker_id, number):
            assert worker_id in ("gw0", "gw1")
            invoke("orders", request())
            assert len(spans) == 2
            assert metrics.value("faas.invocations") == 1

        def test_fails(invoke, spans):
            invoke("orders", request())
            assert "nope" in spans
        """
    )
    result = run(project, "-n", "2")

    result.assert_outcomes(passed=8, failed=1)
    result.stdout.fnmatch_lines(["*assert 'nope' in spans", "*GET /api/orders*"])


def test_costs_nothing_where_it_is_not_used(pytester: pytest.Pytester) -> None:
    """Tests that use none of its fixtures load neither OpenTelemetry nor azure.functions."""
    pytester.makepyfile(
        """
        import logging, sys

        def test_modules():
            loaded = {name.partition(".")[0] for name in sys.modules}
            assert not loaded & {"opentelemetry", "azure", "wrapt"}
            assert logging.root.level == logging.WARNING
        """
    )
    run(pytester, "-W", "error").assert_outcomes(passed=1)


def test_named_twice(pytester: pytest.Pytester) -> None:
    """Found by its entry point and named with `-p`, it is one plugin."""
    info = pytester.mkdir("funcscope_again-1.dist-info")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: funcscope-again\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[pytest11]\nfuncscope.contrib.testing = funcscope.contrib.testing\n"
    )
    pytester.makepyfile("def test_there(spans):\n    assert not spans\n")
    path = os.pathsep.join([str(pytester.path), *sys.path])
    for named in ([], ["-p", "funcscope.contrib.testing"]):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *named],
            env={**os.environ, "PYTHONPATH": path},
            cwd=pytester.path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_without_pytest(tmp_path: Path) -> None:
    """Without pytest, the import says which extra to install."""
    code = textwrap.dedent(
        """
        import sys
        sys.modules["pytest"] = None
        try:
            import funcscope.contrib.testing
        except ImportError as error:
            print(error, "|", type(error.__cause__).__name__)
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == (
        "funcscope.contrib.testing needs the package pytest: install funcscope[testing]"
        " | ModuleNotFoundError"
    )
