"""The stand-ins for protobuf's classes are held against these."""

from __future__ import annotations

import operator
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.contrib.host import function_rpc
from funcscope.contrib.host._worker_process.messages import stand_ins
from funcscope.contrib.host._worker_process.table import ENUMS, SCALARS, WELL_KNOWN, layouts

if TYPE_CHECKING:
    from funcscope.contrib.host._worker_process.table import Field, Layout

LAYOUTS = {layout.name: layout for layout in layouts()}
NAMES = [name for name in LAYOUTS if not name.startswith(WELL_KNOWN)]
DEEPEST = 3

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALAR_VALUES: dict[str, st.SearchStrategy[object]] = {
    "string": TEXT,
    "bytes": st.binary(max_size=8),
    "bool": st.booleans(),
    "double": st.floats(allow_nan=False),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "sint64": st.integers(-(2**63), 2**63 - 1),
}


def values_of(field: Field, depth: int) -> st.SearchStrategy[Any]:
    """Draw what a field can hold, messages as dicts of their fields."""
    if field.type in ENUMS:
        value: st.SearchStrategy[Any] = st.integers(0, len(ENUMS[field.type]) - 1)
    elif field.type in SCALARS:
        value = SCALAR_VALUES[field.type]
    else:
        value = contents(LAYOUTS[field.type], depth - 1)
    if field.is_repeated:
        return st.lists(value, max_size=3)
    return st.dictionaries(TEXT, value, max_size=3) if field.is_map else value


def contents(layout: Layout, depth: int = DEEPEST) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a message's fields."""
    known = [f for f in layout.fields if depth > 0 or f.type in SCALARS or f.type in ENUMS]
    free = {f.name: values_of(f, depth) for f in known if not f.in_oneof}
    chosen = [st.fixed_dictionaries({f.name: values_of(f, depth)}) for f in known if f.in_oneof]
    return st.builds(
        operator.or_, st.fixed_dictionaries({}, optional=free), st.one_of(st.just({}), *chosen)
    )


MESSAGES = st.sampled_from(NAMES).flatmap(
    lambda name: st.tuples(st.just(name), contents(LAYOUTS[name]))
)


def read(message: Any, layout: Layout) -> dict[str, object]:
    """Read all fields of a message as a worker does, those that are unset included."""
    found: dict[str, object] = {}
    if layout.oneof:
        found["which"] = message.WhichOneof(layout.oneof)
    for field in layout.fields:
        found[field.name] = read_field(message, field)
    return found


def read_field(message: Any, field: Field) -> object:
    """Read one field, and below it what is set alone: messages hold their like."""
    value = getattr(message, field.name)
    inner = LAYOUTS.get(field.type)
    if field.is_map:
        return {n: v if inner is None else read(v, inner) for n, v in value.items()}
    if field.is_repeated:
        return [v if inner is None else read(v, inner) for v in value]
    if inner is None:
        return value
    return read(value, inner) if message.HasField(field.name) else None


@given(MESSAGES)
def test_bytes_are_protobufs(drawn: tuple[str, dict[str, Any]]) -> None:
    """Either side reads in the other's bytes what was put in."""
    name, content = drawn
    ours = getattr(stand_ins(), name)(**content)
    theirs = getattr(function_rpc(), name)(**content)

    assert type(theirs).FromString(ours.SerializeToString()) == theirs
    assert type(ours).FromString(theirs.SerializeToString()) == ours
    assert read(ours, LAYOUTS[name]) == read(theirs, LAYOUTS[name])


@given(st.data())
def test_merging_is_protobufs(data: st.DataObject) -> None:
    """Bytes on top of a message add to it, replace or merge, as protobuf does it."""
    name = data.draw(st.sampled_from(NAMES))
    first, second = (data.draw(contents(LAYOUTS[name])) for _ in range(2))
    ours = getattr(stand_ins(), name)(**first)
    theirs = getattr(function_rpc(), name)(**first)
    more = getattr(function_rpc(), name)(**second).SerializeToString()

    ours.MergeFromString(more)
    theirs.MergeFromString(more)

    assert read(ours, LAYOUTS[name]) == read(theirs, LAYOUTS[name])


class Five:
    """Counts as a number."""

    def __index__(self) -> int:
        return 5


ODD = [5, -1, 2**31, 2**63, 1.0, 1.5, "a", "\ud800", b"a", b"\xff", bytearray(b"a"), Five(), [], {}]
# The official one ends the process at half a surrogate pair (6.33.5).
CRASHES = pytest.mark.skipif(int(version("protobuf").split(".")[0]) < 7, reason="protobuf crashes")
FIELDS: list[Any] = [
    ("TypedData", "string", "one"),
    ("TypedData", "bytes", "one"),
    ("TypedData", "int", "one"),
    ("TypedData", "double", "one"),
    ("TypedData", "http", "one"),
    ("NullableBool", "value", "one"),
    ("RetryContext", "retry_count", "one"),
    pytest.param("BindingInfo", "direction", "one", marks=CRASHES),
    ("RpcHttp", "headers", "map"),
    ("RpcHttp", "nullable_headers", "map"),
    ("CollectionString", "string", "list"),
    ("InvocationResponse", "output_data", "list"),
]


@pytest.mark.parametrize(("name", "field", "shape"), FIELDS)
def test_what_is_refused_is_what_protobuf_refuses(name: str, field: str, shape: str) -> None:
    """A value of a wrong type or range is refused by both or by neither, and kept alike."""

    def make(protos: Any, odd: object) -> bytes | None:
        value = {"map": {"a": odd}, "list": [odd]}.get(shape, odd)
        try:
            encoded: bytes = getattr(protos, name)(**{field: value}).SerializeToString()
        except (TypeError, ValueError, OverflowError):
            return None
        return encoded

    ours, theirs = ([make(p, odd) for odd in ODD] for p in (stand_ins(), function_rpc()))
    assert ours == theirs


def test_fields_that_nobody_knows_are_kept() -> None:
    """What a newer host or worker adds goes on, as with protobuf."""
    unknown = b"\xaa\x06\x03new"  # field 101
    message = stand_ins().InvocationResponse(invocation_id="1")

    message.MergeFromString(unknown)

    copy = type(message).FromString(message.SerializeToString())
    assert copy.SerializeToString() == b"\x0a\x011" + unknown


def test_a_message_that_was_read_first_can_be_filled() -> None:
    """Reading an unset message sets nothing, until that is filled."""
    request = stand_ins().InvocationRequest()
    context = request.trace_context
    assert not request.HasField("trace_context")

    context.MergeFromString(b"\x0a\x02tp")

    assert request.HasField("trace_context")
    assert request.trace_context.trace_parent == "tp"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("delay_interval", timedelta(seconds=-1.5)),
        ("delay_interval", timedelta(days=3, microseconds=7)),
    ],
)
def test_durations(kind: str, value: timedelta) -> None:
    """A timedelta becomes the duration that protobuf makes of it."""
    made = [p.RpcRetryOptions(**{kind: value}) for p in (stand_ins(), function_rpc())]

    assert made[0].SerializeToString() == made[1].SerializeToString()


def test_timestamps() -> None:
    """A datetime, the stand-in's own class and protobuf's are timestamps."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
    protos = stand_ins()
    theirs = function_rpc().NullableTimestamp(value=moment)
    own = protos.Timestamp(seconds=theirs.value.seconds, nanos=theirs.value.nanos)

    for value in (moment, theirs.value, own):
        made = protos.NullableTimestamp(value=value)
        assert made.SerializeToString() == theirs.SerializeToString()


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05ab", b"\xff" * 11, b"\x0b", b"\x02\x00"])
def test_bytes_that_are_no_message(data: bytes) -> None:
    """What is cut off or garbled is refused."""
    with pytest.raises(ValueError, match="message"):
        stand_ins().InvocationResponse.FromString(data)


def test_unknown_names_are_named() -> None:
    """A field that is not there is no attribute, and the constructor names it."""
    protos = stand_ins()

    with pytest.raises(ValueError, match='TypedData has no "nope" field'):
        protos.TypedData(nope=1)
    with pytest.raises(AttributeError, match="nope"):
        protos.TypedData().nope  # noqa: B018
    with pytest.raises(AttributeError, match="http"):
        protos.TypedData().http = protos.RpcHttp()
