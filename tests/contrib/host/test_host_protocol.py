"""The messages made for the workers."""

from __future__ import annotations

import importlib.util
import re
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool

from funcscope.contrib.host import function_rpc


@pytest.mark.library_worker
@pytest.mark.parametrize("package", ["azure_functions_runtime", "azure_functions_runtime_v1"])
def test_has_every_name_that_the_workers_use(package: str) -> None:
    """Whatever a worker's source takes from `protos` is there, enum constants included."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    sources = [path.read_text("utf-8") for path in Path(spec.origin).parent.rglob("*.py")]
    names = {name for text in sources for name in re.findall(r"\bprotos\.([A-Z][\w.]+)", text)}

    assert {"TypedData", "StatusResult.Failure", "RpcHttpCookie.SameSite.Lax"} <= names
    for name in names:
        value = function_rpc()
        for part in name.split("."):
            value = getattr(value, part)


def test_field_numbers_are_the_protocols() -> None:
    """A message is encoded with the numbers of the public protocol, not numbers of ours."""
    protos = function_rpc()
    http = protos.RpcHttp(status_code="200", body=protos.TypedData(bytes=b"x"))

    # 5: TypedData.http, 4: RpcHttp.body, 3: TypedData.bytes, 12: RpcHttp.status_code
    expected = b"\x2a\x0a" + b"\x22\x03\x1a\x01x" + b"\x62\x03200"
    assert protos.TypedData(http=http).SerializeToString() == expected


def test_maps_oneofs_and_enums() -> None:
    """Maps, oneofs and enums behave as in generated code, after a round trip too."""
    protos = function_rpc()
    request = protos.InvocationRequest(
        invocation_id="1",
        trigger_metadata={"Id": protos.TypedData(string="7")},
        input_data=[protos.ParameterBinding(name="msg", data=protos.TypedData(json="{}"))],
    )

    copy = protos.InvocationRequest.FromString(request.SerializeToString())

    assert copy.trigger_metadata["Id"].string == "7"
    assert copy.input_data[0].WhichOneof("rpc_data") == "data"
    assert copy.input_data[0].data.WhichOneof("data") == "json"
    assert protos.BindingInfo(direction="out").direction == protos.BindingInfo.out == 1
    assert getattr(protos.RpcHttpCookie.SameSite, "None") == 0


def test_well_known_types_take_python_values() -> None:
    """Durations are filled from timedelta, as the worker does for retry options."""
    options = function_rpc().RpcRetryOptions(delay_interval=timedelta(seconds=90))

    assert options.delay_interval.seconds == 90


def test_protobufs_own_pool_stays_clean() -> None:
    """Nothing is registered where generated code of the worker's would clash with it."""
    function_rpc()

    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("AzureFunctionsRpcMessages.TypedData")
