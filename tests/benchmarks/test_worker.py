"""What the benchmarks' own host says to a worker."""

from __future__ import annotations

import pytest

pytest.importorskip("azure_functions_runtime", reason="needs a library worker")

from tests.benchmarks.worker import Worker


@pytest.mark.library_worker
def test_a_benchmarks_worker_is_made() -> None:
    """A worker of a benchmark finds the protocol's messages where they are."""
    worker = Worker()

    assert worker._message(worker_init_request=None).request.request_id == "1"
