"""
The worker's process: a library worker that a local host drives from another process.

Nothing but the standard library is imported here, so that it runs in any environment that has the
worker: `start.py` is run by its path, and loads its neighbours under a name of their own. An app's
environment may have another funcscope, or none.
"""

__all__: list[str] = []
