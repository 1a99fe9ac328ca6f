"""Tracebacks of apps, without the worker's part in them."""

from __future__ import annotations

from pathlib import Path

from funcscope.contrib.host._worker.tracebacks import app_traceback

APP = Path("/app")
WORKER_FRAME = (
    '  File "/venv/site-packages/worker/loader.py", line 1, in load\n    load()\n    ~~~~^^\n'
)
APP_FRAME = '  File "/app/function_app.py", line 3, in <module>\n    import nope\n'
HEADER = "Traceback (most recent call last):\n"


def test_keeps_the_apps_frames() -> None:
    """Frames of the worker and of installed packages go, the app's stay."""
    inner = '  File "/app/.python_packages/lib/site-packages/x.py", line 9, in f\n    g()\n'
    trace = f"{HEADER}{WORKER_FRAME}{APP_FRAME}{inner}ValueError: no\n"

    assert app_traceback(trace, APP) == f"{HEADER}{APP_FRAME}ValueError: no"


def test_the_error_stands_alone_where_no_frame_is_the_apps() -> None:
    """What the worker refuses has no frame worth showing, only its message."""
    trace = f"{HEADER}{WORKER_FRAME}FunctionLoadError: cannot load\n"

    assert app_traceback(trace, APP) == "FunctionLoadError: cannot load"


def test_drops_the_workers_second_error() -> None:
    """The worker's advice about a missing module goes, the original error stays."""
    advice = "Cannot find module. Please check the requirements.txt file for the missing module. x"
    trace = (
        f"{HEADER}{APP_FRAME}ModuleNotFoundError: No module named 'nope'\n"
        "\nDuring handling of the above exception, another exception occurred:\n\n"
        f"{HEADER}{WORKER_FRAME}ModuleNotFoundError: No module named 'nope'. {advice}\n"
    )

    assert app_traceback(trace, APP) == (
        f"{HEADER}{APP_FRAME}ModuleNotFoundError: No module named 'nope'"
    )


def test_keeps_the_apps_own_chain() -> None:
    """An app's error and its cause both stay."""
    trace = (
        f"{HEADER}{APP_FRAME}KeyError: 'a'\n"
        "\nThe above exception was the direct cause of the following exception:\n\n"
        f"{HEADER}{APP_FRAME}ValueError: b\n"
    )

    assert app_traceback(trace, APP) == trace.rstrip()
