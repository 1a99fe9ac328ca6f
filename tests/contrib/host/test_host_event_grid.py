"""Event Grid's webhooks start functions, and `host.json` adds headers to each answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from funcscope.contrib._local.host_json import HostJson
from funcscope.contrib.host import HostError
from funcscope.contrib.host._access.headers import custom_headers

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPMessage

    from tests.contrib.host.accounts import Account
    from tests.contrib.host.conftest import HostProcess

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "local-host.md"
EVENT = {"id": "1", "topic": "t", "eventTime": "2026-01-01T00:00:00Z", "dataVersion": "1"}
CLOUD_EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "sold", "data": {"n": 1}}


@pytest.fixture(scope="module")
def host(run_host: Callable[..., HostProcess]) -> HostProcess:
    """Run the app."""
    return run_host("host_event_grid")


def deliver(
    host: HostProcess, function: str, kind: str, body: object, extension: str = "EventGrid"
) -> tuple[int, HTTPMessage, str]:
    """Deliver something as Event Grid does."""
    headers = {"aeg-event-type": kind, "Content-Type": "application/json"}
    path = f"/runtime/webhooks/{extension}?functionName={function}"
    return host.fetch(path, "POST", json.dumps(body), headers)


def event(subject: str, kind: str = "Moved", data: object = None) -> dict[str, Any]:
    """Make an event of Event Grid's own schema."""
    return {**EVENT, "subject": subject, "eventType": kind, "data": data or {}}


@pytest.mark.library_worker
@pytest.mark.parametrize(
    "body",
    [
        [event("", "Microsoft.EventGrid.SubscriptionValidationEvent", {"validationCode": "c-1"})],
        {**CLOUD_EVENT, "data": json.dumps({"validationCode": "c-1"})},
    ],
)
def test_a_subscription_is_validated(host: HostProcess, body: object) -> None:
    """The code of either schema's validation event is sent back, with status 200."""
    status, _, text = deliver(host, "moved", "SubscriptionValidation", body)

    assert (status, json.loads(text)) == (200, {"validationResponse": "c-1"})


@pytest.mark.library_worker
def test_cloud_events_are_allowed(host: HostProcess) -> None:
    """`OPTIONS` is answered with the origin that asks, as CloudEvents' handshake has it."""
    path = "/runtime/webhooks/eventgrid?functionName=clouded"
    asked = {"WebHook-Request-Origin": "eventgrid.azure.net"}

    status, headers, _ = host.fetch(path, "OPTIONS", headers=asked)
    assert (status, headers["webhook-allowed-origin"]) == (200, "eventgrid.azure.net")
    assert host.fetch(path, "OPTIONS")[0] == 400


@pytest.mark.library_worker
def test_the_delivery_that_the_docs_show(host: HostProcess) -> None:
    """The events that `local-host.md` sends by hand are taken."""
    (shown,) = re.findall(
        r"functionName=moved.*?-d '(\[.*?\])'", PAGE.read_text("utf-8"), re.DOTALL
    )
    status, _, _ = deliver(host, "moved", "Notification", json.loads(shown))

    assert status == 202


@pytest.mark.library_worker
def test_each_event_is_an_invocation(host: HostProcess) -> None:
    """The events of a delivery call the function one by one; either schema arrives as its type."""
    assert deliver(host, "Moved", "Notification", [event("a"), event("b")])[0] == 202
    assert deliver(host, "clouded", "Notification", CLOUD_EVENT)[::2] == (202, "")

    host.wait_for(r'moved \["a", "Moved", \{\}\]')
    host.wait_for(r'moved \["b", "Moved", \{\}\]')
    host.wait_for(r'clouded \["/shop", "sold", \{"n": 1\}\]')


@pytest.mark.library_worker
def test_a_failure_is_told(host: HostProcess) -> None:
    """Event Grid delivers again where a function fails: the answer is 500 with the error."""
    status, _, text = deliver(host, "moved", "Notification", [event("c"), event("lost")])

    assert status == 500
    assert "no such parcel" in text


@pytest.mark.library_worker
@pytest.mark.parametrize(
    ("function", "kind", "body", "status"),
    [
        ("nobody", "Notification", [], 404),
        ("moved", "Notification", [1], 400),
        ("moved", "SubscriptionValidation", [], 400),
        ("moved", "SubscriptionValidation", {"data": 1}, 400),
        ("moved", "Unsubscribe", [], 202),
        ("moved", "", [], 400),
    ],
)
def test_odd_deliveries(
    host: HostProcess, function: str, kind: str, body: object, status: int
) -> None:
    """What Event Grid does not send is refused."""
    assert deliver(host, function, kind, body)[0] == status
    assert host.fetch("/runtime/webhooks/other?functionName=moved", "POST")[0] == 404


@pytest.mark.library_worker
def test_event_grid_tells_of_blobs(run_host: Callable[..., HostProcess], account: Account) -> None:
    """A blob trigger with that source starts by its webhook, and by no listing."""
    account.upload("uploads/a b.txt", b"tea")
    settings = {"AzureWebJobsStorage": account.connection}
    host = run_host("host_event_grid", **settings)
    client = account.blobs.get_blob_client("uploads", "a b.txt")
    etag = str(client.get_blob_properties().etag).strip('"')
    data = {"url": client.url, "eTag": etag, "blobType": "BlockBlob"}
    told = [event("", "Microsoft.Storage.BlobCreated", data)]
    host.wait_for("uploaded: blobTrigger")

    name = "Host.Functions.uploaded"
    assert deliver(host, name, "Notification", told, "blobs")[0] == 202
    host.wait_for("uploaded uploads/a b.txt b'tea'")
    assert deliver(host, name, "Notification", [event("")], "blobs")[0] == 400
    assert host.stop() == 0
    assert host.output.count("uploaded uploads") == 1


@pytest.mark.library_worker
@pytest.mark.parametrize(
    ("path", "frames"),
    [("/api/page", "SAMEORIGIN"), ("/nowhere", "DENY"), ("/admin/functions", "DENY")],
)
def test_custom_headers(host: HostProcess, path: str, frames: str) -> None:
    """Each answer has the headers of `customHeaders` that it has not itself."""
    headers = host.fetch(path)[1]

    assert headers["x-content-type-options"] == "nosniff"
    assert headers.get_all("x-frame-options") == [frames]
    assert headers["strict-transport-security"] is None
    host.wait_for("'hsts' of .*host.json adds no header here")


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X A": "1"}, "'X A' is no name for a header"),
        ({"X-A": "1\n2"}, "the header 'X-A' holds the character"),
        ({"X-A": []}, "it must be a string"),
        ([], "it must be a JSON object"),
    ],
)
def test_wrong_custom_headers(tmp_path: Path, headers: object, message: str) -> None:
    """A header that cannot be sent is named before the app is served."""
    host_json = HostJson(
        tmp_path / "host.json", {"extensions": {"http": {"customHeaders": headers}}}, {}
    )

    with pytest.raises(HostError, match=message):
        custom_headers(host_json)
