"""
The messages of Azure Functions' public FunctionRpc protocol that the library workers name.

Source: github.com/Azure/azure-functions-language-worker-protobuf, `FunctionRpc.proto`,
`NullableTypes.proto` and `ClaimsIdentityRpc.proto`.
"""

from __future__ import annotations

from typing import NamedTuple

SCALARS = frozenset({"string", "bytes", "bool", "double", "int32", "int64", "sint64"})
WELL_KNOWN = "google.protobuf."
"""What the names of messages of protobuf's own begin with."""


class Field(NamedTuple):
    """
    A field of a message.

    Attributes:
        type: A scalar's type, or the name of a message or an enum of the table.
        is_repeated: Whether it is a list.
        is_map: Whether it is a map, whose keys are strings.
        in_oneof: Whether it is one of the message's only oneof.
    """

    number: int
    name: str
    type: str
    is_repeated: bool
    is_map: bool
    in_oneof: bool


class Layout(NamedTuple):
    """The fields of a message, and the name of its oneof, which may be `""`."""

    name: str
    oneof: str
    fields: tuple[Field, ...]


_MESSAGES = """
google.protobuf.Timestamp
1 seconds int64
2 nanos int32

google.protobuf.Duration
1 seconds int64
2 nanos int32

NullableString
oneof string
1? value string

NullableDouble
oneof double
1? value double

NullableBool
oneof bool
1? value bool

NullableTimestamp
oneof timestamp
1? value google.protobuf.Timestamp

RpcClaim
1 value string
2 type string

RpcClaimsIdentity
1 authentication_type NullableString
2 name_claim_type NullableString
3 role_claim_type NullableString
4 claims []RpcClaim

CollectionString
1 string []string

CollectionBytes
1 bytes []bytes

CollectionDouble
1 double []double

CollectionSInt64
1 sint64 []sint64

ModelBindingData
1 version string
2 source string
3 content_type string
4 content bytes

CollectionModelBindingData
1 model_binding_data []ModelBindingData

TypedData
oneof data
1? string string
2? json string
3? bytes bytes
4? stream bytes
5? http RpcHttp
6? int sint64
7? double double
8? collection_bytes CollectionBytes
9? collection_string CollectionString
10? collection_double CollectionDouble
11? collection_sint64 CollectionSInt64
12? model_binding_data ModelBindingData
13? collection_model_binding_data CollectionModelBindingData

RpcHttpCookie
1 name string
2 value string
3 domain NullableString
4 path NullableString
5 expires NullableTimestamp
6 secure NullableBool
7 http_only NullableBool
8 same_site RpcHttpCookie.SameSite
9 max_age NullableDouble

RpcHttp
1 method string
2 url string
3 headers {}string
4 body TypedData
10 params {}string
12 status_code string
15 query {}string
16 enable_content_negotiation bool
17 rawBody TypedData
18 identities []RpcClaimsIdentity
19 cookies []RpcHttpCookie
20 nullable_headers {}NullableString
21 nullable_params {}NullableString
22 nullable_query {}NullableString

RpcSharedMemory
1 name string
2 offset int64
3 count int64

ParameterBinding
oneof rpc_data
1 name string
2? data TypedData
3? rpc_shared_memory RpcSharedMemory

RpcException
1 stack_trace string
2 message string
3 source string
4 is_user_exception bool
5 type string

StatusResult
1 result string
2 exception RpcException
4 status StatusResult.Status

BindingInfo
2 type string
3 direction BindingInfo.Direction
4 data_type BindingInfo.DataType
5 properties {}string

RpcRetryOptions
2 max_retry_count int32
3 delay_interval google.protobuf.Duration
4 minimum_interval google.protobuf.Duration
5 maximum_interval google.protobuf.Duration
6 retry_strategy RpcRetryOptions.RetryStrategy

RpcFunctionMetadata
1 directory string
2 script_file string
3 entry_point string
4 name string
6 bindings {}BindingInfo
7 is_proxy bool
8 status StatusResult
9 language string
10 raw_bindings []string
13 function_id string
14 managed_dependency_enabled bool
15 retry_options RpcRetryOptions
16 properties {}string

RpcTraceContext
1 trace_parent string
2 trace_state string
3 attributes {}string

RetryContext
1 retry_count int32
2 max_retry_count int32
3 exception RpcException

WorkerMetadata
1 runtime_name string
2 runtime_version string
3 worker_version string
4 worker_bitness string
5 custom_properties {}string

WorkerInitRequest
1 host_version string
2 capabilities {}string
4 worker_directory string
5 function_app_directory string

WorkerInitResponse
1 worker_version string
2 capabilities {}string
3 result StatusResult
4 worker_metadata WorkerMetadata

FunctionEnvironmentReloadRequest
1 environment_variables {}string
2 function_app_directory string

FunctionEnvironmentReloadResponse
1 worker_metadata WorkerMetadata
2 capabilities {}string
3 result StatusResult

FunctionsMetadataRequest
1 function_app_directory string

FunctionMetadataResponse
1 function_metadata_results []RpcFunctionMetadata
2 result StatusResult
3 use_default_metadata_indexing bool

FunctionLoadRequest
1 function_id string
2 metadata RpcFunctionMetadata
3 managed_dependency_enabled bool

FunctionLoadResponse
1 function_id string
2 result StatusResult
3 is_dependency_downloaded bool

InvocationRequest
1 invocation_id string
2 function_id string
3 input_data []ParameterBinding
4 trigger_metadata {}TypedData
5 trace_context RpcTraceContext
6 retry_context RetryContext

InvocationResponse
1 invocation_id string
2 output_data []ParameterBinding
3 result StatusResult
4 return_value TypedData

StreamingMessage
oneof content
1 request_id string
4? invocation_request InvocationRequest
5? invocation_response InvocationResponse
8? function_load_request FunctionLoadRequest
9? function_load_response FunctionLoadResponse
16? worker_init_response WorkerInitResponse
17? worker_init_request WorkerInitRequest
25? function_environment_reload_request FunctionEnvironmentReloadRequest
26? function_environment_reload_response FunctionEnvironmentReloadResponse
29? functions_metadata_request FunctionsMetadataRequest
30? function_metadata_response FunctionMetadataResponse
"""
"""
A paragraph for each message. A field is `number name type`, where the type is a scalar, another
message or an enum; `[]` makes it repeated, `{}` a map from strings, and `?` after the number puts
it into the message's only oneof, which the line that starts with `oneof` names.
"""

ENUMS = {
    "StatusResult.Status": ("Failure", "Success", "Cancelled"),
    "RpcHttpCookie.SameSite": ("None", "Lax", "Strict", "ExplicitNone"),
    "BindingInfo.Direction": ("in", "out", "inout"),
    "BindingInfo.DataType": ("undefined", "string", "binary", "stream"),
    "RpcRetryOptions.RetryStrategy": ("exponential_backoff", "fixed_delay"),
}
"""The names of each enum's values, whose numbers count from 0."""


def layouts() -> list[Layout]:
    """Return all messages: those that others have fields of may come later."""
    return [_layout(*each.splitlines()) for each in _MESSAGES.strip().split("\n\n")]


def _layout(name: str, *lines: str) -> Layout:
    oneofs = [line.removeprefix("oneof ") for line in lines if line.startswith("oneof ")]
    fields = [_field(*line.split()) for line in lines if not line.startswith("oneof ")]
    return Layout(name, "".join(oneofs), tuple(fields))


def _field(number: str, name: str, type_name: str) -> Field:
    return Field(
        number=int(number.rstrip("?")),
        name=name,
        type=type_name.removeprefix("[]").removeprefix("{}"),
        is_repeated=type_name.startswith("[]"),
        is_map=type_name.startswith("{}"),
        in_oneof=number.endswith("?"),
    )
