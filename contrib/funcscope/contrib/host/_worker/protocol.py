"""
The protocol's messages, as protobuf's own classes.

They are built from the table of names and field numbers, in a descriptor pool of their own:
generated modules would register the same names in protobuf's default pool and clash with whatever
else the process has loaded.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.duration_pb2 import DESCRIPTOR as DURATION_FILE
from google.protobuf.timestamp_pb2 import DESCRIPTOR as TIMESTAMP_FILE

from funcscope.contrib.host._worker_process.table import ENUMS, SCALARS, WELL_KNOWN, layouts

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from funcscope.contrib.host._worker_process.table import Field, Layout

Protos: TypeAlias = Any  # message classes made at run time: no checker can know their fields
TypedData: TypeAlias = Any  # likewise
"""A `TypedData` message of `FunctionRpc.proto`: one value on its way to or from a worker."""

_PACKAGE = "AzureFunctionsRpcMessages"
_FILE = "funcscope/FunctionRpc.proto"

_Field = descriptor_pb2.FieldDescriptorProto


@functools.cache
def function_rpc() -> Protos:
    """Return a namespace of message classes, as the workers expect of their `protos` property."""
    pool = descriptor_pool.DescriptorPool()
    for well_known in (DURATION_FILE, TIMESTAMP_FILE):
        pool.AddSerializedFile(well_known.serialized_pb)
    file = _file_descriptor()
    pool.AddSerializedFile(file.SerializeToString())

    def message_class(name: str) -> type[Message]:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))

    return SimpleNamespace(**{m.name: message_class(m.name) for m in file.message_type})


def _file_descriptor() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package=_PACKAGE, syntax="proto3")
    file.dependency.extend([DURATION_FILE.name, TIMESTAMP_FILE.name])
    for layout in layouts():
        if not layout.name.startswith(WELL_KNOWN):
            _add_message(file.message_type.add(name=layout.name), layout)
    return file


def _add_message(message: descriptor_pb2.DescriptorProto, layout: Layout) -> None:
    if layout.oneof:
        message.oneof_decl.add(name=layout.oneof)
    for field in layout.fields:
        _add_field(message, field)
    for enum_name, values in ENUMS.items():
        owner, _, short_name = enum_name.partition(".")
        if owner == layout.name:
            enum = message.enum_type.add(name=short_name)
            for number, value in enumerate(values):
                enum.value.add(name=value, number=number)


def _add_field(message: descriptor_pb2.DescriptorProto, described: Field) -> None:
    field = message.field.add(name=described.name, number=described.number)
    is_list = described.is_repeated or described.is_map
    field.label = _Field.LABEL_REPEATED if is_list else _Field.LABEL_OPTIONAL
    if described.in_oneof:
        field.oneof_index = 0
    _set_type(field, _add_map_entry(message, described) if described.is_map else described.type)


def _add_map_entry(message: descriptor_pb2.DescriptorProto, described: Field) -> str:
    """Add the message that protobuf keeps a map field's entries in, and return its full name."""
    entry_name = "".join(word.capitalize() for word in described.name.split("_")) + "Entry"
    entry = message.nested_type.add(name=entry_name)
    entry.options.map_entry = True
    for number, (name, value_type) in enumerate((("key", "string"), ("value", described.type)), 1):
        field = entry.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
        _set_type(field, value_type)
    return f"{message.name}.{entry_name}"


def _set_type(field: descriptor_pb2.FieldDescriptorProto, type_name: str) -> None:
    if type_name in SCALARS:
        field.type = _Field.Type.Value(f"TYPE_{type_name.upper()}")
        return
    field.type = _Field.TYPE_ENUM if type_name in ENUMS else _Field.TYPE_MESSAGE
    known = type_name.startswith(WELL_KNOWN)
    field.type_name = f".{type_name}" if known else f".{_PACKAGE}.{type_name}"
