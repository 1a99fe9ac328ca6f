"""The trace context that the host makes of a request's headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.contrib._local.trace_context import continue_trace

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"


def test_continues_the_callers_trace() -> None:
    """A valid traceparent is continued by a new span, with the caller's flags and state."""
    context = continue_trace(f"00-{TRACE_ID}-{PARENT_ID}-00", "vendor=1")

    assert (context.trace_id, context.parent_id) == (TRACE_ID, PARENT_ID)
    assert context.span_id not in (PARENT_ID, "0" * 16)
    assert context.trace_parent == f"00-{TRACE_ID}-{context.span_id}-00"
    assert context.state == "vendor=1"


def test_a_later_version_may_say_more() -> None:
    """A traceparent of a later version is read as far as this version goes."""
    context = continue_trace(f"01-{TRACE_ID}-{PARENT_ID}-01-more")

    assert context.trace_parent.startswith(f"00-{TRACE_ID}-")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"ff-{TRACE_ID}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{PARENT_ID}-01-more",
        f"00-{TRACE_ID.upper()}-{PARENT_ID}-01",
        f"00-{'0' * 32}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
    ],
)
def test_starts_a_trace_otherwise(header: str) -> None:
    """Without a valid traceparent a sampled trace starts, and the state is dropped with it."""
    context = continue_trace(header, "vendor=1")

    assert context.trace_id != TRACE_ID
    assert (context.parent_id, context.flags, context.state) == ("", "01", "")


def test_ids_are_never_zero() -> None:
    """All zeros mean an invalid id, even if chance should bring them."""
    context = continue_trace(random_hex=lambda size: "00" * size)

    assert int(context.trace_id, 16)
    assert int(context.span_id, 16)
    assert (len(context.trace_id), len(context.span_id)) == (32, 16)


@given(st.text())
def test_any_header_gives_a_valid_context(header: str) -> None:
    """Whatever a caller sends, the function receives a valid traceparent."""
    version, trace_id, span_id, flags = continue_trace(header).trace_parent.split("-")

    assert (version, len(trace_id), len(span_id), len(flags)) == ("00", 32, 16, 2)
