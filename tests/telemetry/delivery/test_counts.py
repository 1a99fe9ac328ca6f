"""What became of everything."""

from __future__ import annotations

import re
import threading

from scripts.snippets import text_of

from funcscope.telemetry._delivery.stats import ExportStats, Pending, SignalCounts


def test_snapshot() -> None:
    """Each signal has its steps, its losses by reason, and what waits right now."""
    counts = ExportStats()
    counts.watch("traces", lambda: Pending(3, 4, {"queue_full": 6}))
    counts.add("traces", "queued", 10)
    counts.add("traces", "sent", 5)
    counts.drop("traces", "refused", 1)
    counts.drop("logs", "queue_full", 2)
    snapshot = counts.snapshot()

    assert snapshot["traces"] == SignalCounts(
        queued=19, waiting=7, sent=5, dropped={"queue_full": 6, "refused": 1}
    )
    assert snapshot["logs"].dropped == {"queue_full": 2}


def test_summary() -> None:
    """One line says what was dropped and why, and there is none if nothing was."""
    counts = ExportStats()
    counts.add("traces", "sent", 1)
    counts.drop("traces", "partial", 0, "nothing to say")
    assert counts.summary() is None
    counts.drop("traces", "refused", 2, "HTTP 400: bad")
    counts.drop("logs", "queue_full", 3)

    assert counts.summary() == (
        "telemetry dropped: 3 log records (queue_full), 2 spans (refused: HTTP 400: bad)"
    )


def test_line_and_report_of_the_how_to() -> None:
    """The how-to shows what is counted of each signal, and the line that tells of it at the end."""
    shown = text_of("docs/how-to/sending.md")
    counts = ExportStats()
    for signal in ("traces", "logs"):
        counts.drop(signal, "refused", 2000, "HTTP 400: not my type")

    assert f"{counts.summary()}\n" in shown
    keys = re.findall(r'"([^"]+)": [\d{]', shown[shown.index('{"traces"') :])
    assert keys[1:-1] == list(SignalCounts._fields)  # before these the signal, then our own


def test_threads() -> None:
    """Counting from many threads misses nothing."""
    counts = ExportStats()

    def count() -> None:
        for _ in range(2_000):
            counts.add("traces", "queued", 1)
            counts.drop("traces", "queue_full", 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts.snapshot()["traces"] == SignalCounts(queued=8_000, dropped={"queue_full": 8_000})


def test_reset() -> None:
    """A forked child counts its own from nothing."""
    counts = ExportStats()
    counts.drop("logs", "encode", 3)
    counts.reset()

    assert counts.summary() is None
