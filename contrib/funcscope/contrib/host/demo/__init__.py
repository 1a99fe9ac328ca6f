"""
The demo: a sample app on the local host, called and checked.

The app itself is in the folder `app`: the code that a user would write. What it prints stands in
the README, which is held to it (docs/decisions/066).
"""

from funcscope.contrib.host.demo._demo import run_demo

__all__ = ["run_demo"]
