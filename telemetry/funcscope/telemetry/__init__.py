"""
What is recorded of an invocation, and how it leaves.

Importing this package records nothing by itself; `import funcscope.auto` or
`configure()` turns it on.
"""

from funcscope.telemetry._configure import configure
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._messages import each_message
from funcscope.telemetry._processes import child_environment, continue_invocation
from funcscope.telemetry._record_fields import bind
from funcscope.telemetry._timing import Timing, timed

__all__ = [
    "TelemetryError",
    "Timing",
    "bind",
    "child_environment",
    "configure",
    "continue_invocation",
    "each_message",
    "timed",
]
