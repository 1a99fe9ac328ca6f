"""
Durable Functions: orchestrators that replay, entities that keep their errors to themselves.

`import funcscope.auto` does what `install()` does, once an orchestrator or entity is called.
"""

from funcscope.contrib.durable._install import install
from funcscope.contrib.durable._replay import ReplayFilter, is_replaying

__all__ = ["ReplayFilter", "install", "is_replaying"]
