"""How long a function may run, as `functionTimeout` of `host.json` says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from funcscope.contrib._local.errors import raised_as
from funcscope.contrib._local.timespan import parse_timespan
from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from funcscope.contrib.host._app import FunctionApp

_DEFAULT = timedelta(minutes=30)
_NONE = timedelta(days=-1)
_LEAST = timedelta(seconds=1)


def read_time_limit(app: FunctionApp) -> timedelta | None:
    """
    Return how long a function of an app may run, None for as long as it likes.

    The default and the least value are those of azure-functions-host,
    `ScriptJobHostOptionsSetup.cs`, outside of the Consumption plan.

    Raises:
        HostError: The value is not one.
    """
    with raised_as(HostError):
        value = app.host_json.get("functionTimeout")
    if value is None:
        return _DEFAULT
    limit = parse_timespan(value) if isinstance(value, str) else None
    if limit == _NONE:
        return None
    if limit is None or limit < _LEAST:
        raise HostError(
            f"{app.host_json.path}: 'functionTimeout' is {value!r}: "
            "write hh:mm:ss, of one second at least, or -1 for no limit"
        )
    return limit
