"""
What is recorded of an invocation, and how it leaves.

Importing this package records nothing by itself; `import funcscope.auto` turns it on.
"""

from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._timing import Timing, timed

__all__ = ["TelemetryError", "Timing", "timed"]
