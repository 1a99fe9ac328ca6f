"""
OpenCensus's extension for Azure Functions, over OpenTelemetry: change the import, keep the code.

Importing this turns telemetry on, as `import funcscope.auto` does, and gives every function's
`context` a `tracer` of OpenCensus's whose spans are OpenTelemetry's. It needs the package
`opencensus` (extra `funcscope[opencensus]`).
"""

from funcscope.contrib.opencensus._extension import OpenCensusExtension

__all__ = ["OpenCensusExtension"]
