"""What a function's arguments are made of."""

from .context import Context, RetryContext, TraceContext
from .out import Out

__all__ = ["Context", "Out", "RetryContext", "TraceContext"]
