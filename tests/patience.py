"""
How long tests wait for what is to happen, in seconds.

These bound how long a failure takes, and nothing else: a test that passes goes on at the event it
waits for, however busy the machine is.
"""

PATIENCE_S = 60.0  # for what happens soon
PROCESS_S = 300.0  # for a process that runs to its end
