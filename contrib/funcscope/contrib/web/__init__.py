"""
Web frameworks behind one function: `AsgiFunctionApp`, `WsgiFunctionApp` and HTTP streams.

The invocation's span has the framework's route instead of the function's, which is `/{*route}` for
all of them; a framework's own server span becomes one with it; and where the response is streamed,
the span ends with its last byte. `import funcscope.auto` does all that as soon as the app imports a
framework; `install()` is for those who record without it. Routes of Starlette, FastAPI and Flask
are found; an app on another framework says its own with `set_route`.

Needs nothing but the framework.
"""

from funcscope.contrib.web._install import install
from funcscope.telemetry.integration import set_route

__all__ = ["install", "set_route"]
