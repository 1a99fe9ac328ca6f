"""What an exported log record says."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.telemetry._logs.correlation import FIELDS, add_fields
from funcscope.telemetry._logs.records import take_snapshot


def attributes(record: logging.LogRecord) -> dict[str, Any]:
    """Return what of a record becomes attributes."""
    return dict(take_snapshot(record).attributes or {})


def record(
    extra: dict[str, object] | None = None, *args: object, msg: str = "x", **fields: Any
) -> logging.LogRecord:
    """Make a record as a logger does."""
    exc_info = fields.pop("exc_info", None)
    return logging.getLogger("app").makeRecord(
        "app", logging.INFO, "app.py", 1, msg, args, exc_info, extra=extra, **fields
    )


def test_what_was_taken_does_not_change() -> None:
    """A record that was taken says what it said then, whatever becomes of what it was made of."""
    items, tags = [1], ["a"]
    made = record({"tags": tags}, items, msg="items %s")
    add_fields(made)
    taken = take_snapshot(made)
    items.append(2)
    tags.append("b")
    made.msg, made.levelname = "other", "ERROR"

    assert (taken.body, taken.level_name) == ("items [1]", "INFO")
    assert taken.attributes == {"tags": ["a"]}


@pytest.mark.parametrize(
    "created", [None, "2026-01-01", math.nan, math.inf, -5.0, 1e300, Decimal("1.5")]
)
def test_a_record_whose_time_nobody_can_tell(created: object) -> None:
    """A record that comes from elsewhere may have any time; it is exported with ours."""
    before = time.time_ns()
    taken = take_snapshot(logging.makeLogRecord({"msg": "x", "created": created}))

    assert before <= taken.created_ns == taken.observed_ns <= time.time_ns()


def test_a_record_whose_time_is_a_whole_number() -> None:
    """A record's time may be what JSON makes of one."""
    assert (
        take_snapshot(logging.makeLogRecord({"created": 1_700_000_000})).created_ns == 17 * 10**17
    )


@pytest.mark.parametrize("gone", ["exc_info", "exc_text", "stack_info", "args", "levelname"])
def test_a_record_that_lacks_something(gone: str) -> None:
    """A record from which somebody has taken what records have says the rest."""
    made = record({"order": 17})
    delattr(made, gone)
    taken = take_snapshot(made)

    assert (taken.body, taken.level, taken.attributes) == ("x", logging.INFO, {"order": 17})
    assert not hasattr(made, gone)


def test_factory_from_before_the_first_import() -> None:
    """What an app's own record factory adds is exported, whenever that was set."""
    code = """
import logging
class Record(logging.LogRecord):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.tenant = {"name": "fabrikam"}
logging.setLogRecordFactory(Record)
from funcscope.telemetry._logs.records import take_snapshot
from funcscope.telemetry._logs.correlation import add_fields
record = logging.getLogger("app").makeRecord("app", 20, "app.py", 1, "x", (), None)
add_fields(record)
print(take_snapshot(record).attributes["tenant.name"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("fabrikam\n", "")


def test_message_that_cannot_be_made() -> None:
    """A message whose arguments do not fit is exported with them, and breaks nothing."""
    body = str(take_snapshot(record(None, "three", msg="only %d")).body)

    assert body.startswith("only %d ('three',) (cannot be formatted: TypeError: ")


def test_extra_becomes_attributes() -> None:
    """Values of `extra` are attributes; nested ones get dotted names, others become text."""
    extra = {
        "order": 17,
        "rate": 1.5,
        "is_new": True,
        "tags": ["a", 2, ValueError("x")],
        "who": {"name": "Ann", "address": {"city": "Oslo"}},
        "where": ValueError("there"),
        "nothing": None,
    }

    assert attributes(record(dict(extra))) == {
        "order": 17,
        "rate": 1.5,
        "is_new": True,
        "tags": ["a", 2, "x"],
        "who.name": "Ann",
        "who.address.city": "Oslo",
        "where": "there",
    }


def test_custom_dimensions_are_flattened() -> None:
    """What OpenCensus apps put under `custom_dimensions` gets names of its own."""
    extra = {"custom_dimensions": {"order": 17, "who": {"name": "Ann"}}, "other": 1}

    assert attributes(record(extra)) == {"order": 17, "who.name": "Ann", "other": 1}


def test_custom_dimensions_that_are_no_mapping() -> None:
    """`custom_dimensions` that is something else keeps its name."""
    assert attributes(record({"custom_dimensions": "x"})) == {"custom_dimensions": "x"}


def test_custom_dimensions_break_no_record() -> None:
    """A dimension with the name of something a record has itself does not take its place."""
    taken = take_snapshot(record({"custom_dimensions": {"name": "Ann", "levelno": "high"}}))

    assert (taken.logger, taken.level) == ("app", logging.INFO)


def test_a_mapping_that_holds_itself() -> None:
    """A mapping that holds itself ends as text, at some depth."""
    endless: dict[str, object] = {}
    endless["again"] = endless

    assert list(attributes(record({"x": endless}))) == ["x" + ".again" * 5]


def test_exception_is_told_in_full() -> None:
    """An exception has its type with its module, its message as `str` makes it, and its stack."""

    class OddError(Exception):
        def __str__(self) -> str:
            return "made by __str__"

    try:
        raise OddError
    except OddError as error:
        told = attributes(record(exc_info=(OddError, error, error.__traceback__)))

    assert told["exception.type"] == f"{__name__}.{OddError.__qualname__}"
    assert told["exception.message"] == "made by __str__"
    assert "test_exception_is_told_in_full" in told["exception.stacktrace"]


def test_stack_is_told() -> None:
    """A stack that was asked for by `stack_info` is exported."""
    assert attributes(record(sinfo="Stack (most …"))["code.stacktrace"] == "Stack (most …"


def test_fields_of_ours_are_no_attributes() -> None:
    """What is on each record for formats is not exported twice."""
    assert attributes(record(dict.fromkeys(FIELDS, "mine"))) == {}


def test_record_itself_stays_as_it_was() -> None:
    """Other handlers get the record that the app made."""
    made = record({"custom_dimensions": {"a": 1}}, 5, msg="%d")
    before = dict(vars(made))
    take_snapshot(made)

    assert vars(made) == before


class Broken:
    """Cannot be shown."""

    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __str__


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(),
        st.builds(Broken), st.builds(object),
    ),
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(inner),
        st.dictionaries(st.one_of(st.text(), st.integers()), inner),
    ),
    max_leaves=10,
)  # fmt: skip


@given(extra=st.dictionaries(st.text(min_size=1), VALUES))
def test_whatever_is_logged_can_be_exported(extra: dict[str, object]) -> None:
    """Whatever an app passes, its record comes through, with values that have a wire format."""
    made = logging.makeLogRecord({f"x{name}": value for name, value in extra.items()})
    for value in attributes(made).values():
        for item in value if isinstance(value, list) else [value]:
            assert isinstance(item, (str, bool, int, float, bytes))
