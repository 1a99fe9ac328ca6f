"""What the benchmark's receivers with faults count."""

from __future__ import annotations

import time
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.benchmarks.crew import FaultyReceivers
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterable


def post(url: str, ids: Iterable[int]) -> None:
    """Send spans with these ids, and wait for the answer."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number in ids:
        spans.add(trace_id=bytes(16), span_id=number.to_bytes(8, "big"), name="hello")
    urllib.request.urlopen(f"{url}/v1/traces", request.SerializeToString(), timeout=60).close()


def post_when_back(url: str, ids: range) -> None:
    """Do the same, as soon as there is someone to send to."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return post(url, ids)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_what_comes_twice_for_no_reason() -> None:
    """Spans that come again are counted once each as arrived, and as unexplained if answered."""
    with FaultyReceivers(["healthy"]) as receivers:
        post(receivers.urls["healthy"], range(10))
        post(receivers.urls["healthy"], range(7, 12))
        counts = receivers.counts("healthy")

    assert counts == {"arrived": 12, "doubled": 3, "unexplained": 3, "deaths": 0}


def test_what_comes_twice_for_there_was_no_answer() -> None:
    """What a dying receiver took without answering may come again, once."""
    with FaultyReceivers(["dies-rarely"]) as receivers:
        url = receivers.urls["dies-rarely"]
        post(url, range(1_990))
        with pytest.raises((OSError, HTTPException)):
            post(url, range(1_990, 2_010))
        post_when_back(url, range(1_990, 2_010))
        explained = receivers.counts("dies-rarely")
        post(url, range(1_990, 2_010))
        too_much = receivers.counts("dies-rarely")

    assert explained == {"arrived": 2_010, "doubled": 20, "unexplained": 0, "deaths": 1}
    assert too_much == {"arrived": 2_010, "doubled": 40, "unexplained": 20, "deaths": 1}
