"""A transport of elastic-apm that keeps what it is given, as a test of theirs would."""

import json
import os
from pathlib import Path

from elasticapm.transport.base import Transport


class Captured(Transport):
    """Appends events to the file that the test reads, and sends nothing."""

    def start_thread(self, pid=None):
        self._pid = pid

    def queue(self, event_type, data, flush=False):
        with Path(os.environ["HOOK_LOG"]).open("a") as file:
            file.write(json.dumps({"type": event_type, "data": data}, default=str) + "\n")

    def close(self):
        """Keep nothing open."""
