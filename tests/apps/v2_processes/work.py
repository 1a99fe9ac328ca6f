"""What child processes do; imported by them, too, so it leaves the app alone."""

import logging
import sys
import threading

from opentelemetry import metrics, trace

from funcscope.telemetry import continue_invocation

TIMEOUT_S = 60


def record(where: str) -> None:
    """Record one of everything."""
    with trace.get_tracer("app").start_as_current_span(f"span in {where}"):
        logging.warning("log in %s", where)
    thread = threading.Thread(target=logging.warning, args=("thread in %s", where))
    thread.start()
    thread.join()


def measure() -> None:
    """Count one."""
    metrics.get_meter("app").create_counter("app.work").add(1)


def continued(environment: dict[str, str]) -> None:
    """Record in a process that continues the invocation."""
    with continue_invocation(environment):
        record("child")
        measure()


def in_pool(environment: dict[str, str]) -> None:
    """Record in a process that serves many invocations."""
    with continue_invocation(environment):
        logging.warning("log in pool")


if __name__ == "__main__":
    with continue_invocation():
        record(sys.argv[1])
