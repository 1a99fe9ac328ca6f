"""The hooks into each generation of worker; nothing else knows a worker's insides."""

from funcscope.extensions.workers._install import WORKER_MODULES, install, status

__all__ = ["WORKER_MODULES", "install", "status"]
