"""Inputs are read from storage before a function is called, and outputs written after it."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.azurite import Azurite
    from tests.contrib.host.accounts import Account
    from tests.contrib.host.conftest import HostProcess

pytestmark = pytest.mark.library_worker


@pytest.fixture(scope="module")
def account(azurite: Azurite) -> Account:
    """Make an account for all of these tests: each has its own blobs and queues."""
    from tests.contrib.host.accounts import Account  # needs the SDK, as these tests alone do

    return Account(azurite.new_account())


@pytest.fixture(scope="module")
def host(run_host: Callable[..., HostProcess], account: Account) -> HostProcess:
    """Run the app on the account."""
    return run_host(
        "host_bindings", "--port", "0", "-v", AzureWebJobsStorage=account.connection, TOLD="told"
    )


def bodies(account: Account, queue: str) -> list[bytes]:
    """Return what the messages of a queue say."""
    return [base64.b64decode(text) for text in account.texts(queue)]


def test_blobs_and_queues_beside_a_request(host: HostProcess, account: Account) -> None:
    """A request's route and query name the blobs, and what is put out arrives."""
    account.upload("bills/7.json", b'{"sum": 1}')

    assert host.fetch("/bills/7?by=me")[::2] == (200, '{"sum": 1}')
    assert account.download("copies/7-me.json") == b'{"sum": 1}'
    host.wait_for("told of 7")  # by the function that the queue starts
    host.wait_for(r"output 'told' \(queue\) went to queue 'told': ")
    host.wait_for(r"output 'copy' \(blob\) went to blob 'copies/7-me\.json': ")


def test_a_blob_that_is_missing_is_none(host: HostProcess) -> None:
    """An input whose blob is missing is None, as in the host, and nothing is put out."""
    assert host.fetch("/bills/8?by=me")[2] == "no bill"


def test_a_messages_properties_name_the_output(host: HostProcess, account: Account) -> None:
    """Properties of a JSON message stand in paths, and a return value is an output."""
    account.send("customers", '{"customer": {"id": 7, "name": "Ada"}}')

    host.wait_for(r"Executed 'Functions.write' \(Succeeded")
    year = datetime.now(timezone.utc).year
    assert account.download(f"letters/7/{year}.txt") == b"dear Ada"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("text", [b"tea"]),
        ("bytes", [b"tea"]),
        ("texts", [b"tea", b"milk"]),
        ("json", [b'{\n  "tea": 1\n}']),
        ("jsons", [b'{\n  "tea": 1\n}', b"2", b"milk"]),
        ("message", [b'{\n  "id": "7",\n  "body": "tea"\n}']),
    ],
)
def test_messages_are_what_the_host_makes_of_outputs(
    host: HostProcess, account: Account, kind: str, expected: list[bytes]
) -> None:
    """Text and bytes go as they are, a list is several messages, and objects are indented JSON."""
    assert host.fetch(f"/outputs/{kind}")[::2] == (200, "sent")
    assert sorted(bodies(account, "outputs")) == sorted(expected)


def test_clients_of_the_sdk(host: HostProcess, account: Account) -> None:
    """A function that asks for clients of the SDK gets them, of the blob and its container."""
    account.upload("clients/a", b"tea")
    account.upload("clients/b", b"")

    assert json.loads(host.fetch("/clients/a")[2]) == [3, ["a", "b"], "tea"]


def test_an_output_that_cannot_be_written_fails_the_call(host: HostProcess) -> None:
    """What cannot be written fails the invocation, and the output and its place are named."""
    status, _, body = host.fetch("/wrong")

    assert status == 500
    assert body.startswith(
        "output 'out' (queue) cannot be written: 'no_queue!' is not the name of a queue"
    )
    host.wait_for(r"Executed 'Functions.wrong' \(Failed")


def test_what_is_not_connected_is_said(host: HostProcess) -> None:
    """An output without storage is shown; an input without it is named where a function fails."""
    reason = "the setting 'Nowhere' is not set"

    assert host.fetch("/unconnected")[::2] == (200, "unread")
    host.wait_for(r"output 'out' \(queue\) goes nowhere here: ")

    status, _, body = host.fetch("/unconnected?read=1")
    assert status == 500
    assert re.search(rf"AttributeError: .*; input 'bill' \(blob\) was empty: {reason}", body)
    host.wait_for(rf"input 'bill' \(blob\) was empty: {reason}")


def test_an_admin_request_names_a_blob(host: HostProcess, account: Account) -> None:
    """The input of a blob trigger is the path of a blob, as in Core Tools."""
    account.upload("elsewhere/tea", b"green")
    path = "/admin/functions/quiet"

    assert host.fetch(path, "POST", '{"input": "elsewhere/tea"}')[0] == 202
    host.wait_for("quiet elsewhere/tea green")
    status, _, body = host.fetch(path, "POST", '{"input": "elsewhere/milk"}')
    assert (status, body) == (
        400,
        "there is no blob 'elsewhere/milk': the input is the path of one",
    )


def test_an_admin_request_can_wait_for_the_outcome(host: HostProcess) -> None:
    """With `Prefer: wait` an admin request is answered with what the function has put out."""
    headers = {"prefer": "respond-async, wait=10"}
    body = '{"input": {"customer": {"id": 8, "name": "Bo"}}}'
    status, _, answer = host.fetch("/admin/functions/write", "POST", body, headers)

    outcome = json.loads(answer)
    assert status == 200
    assert re.fullmatch("[0-9a-f-]{36}", outcome.pop("invocationId"))
    assert outcome == {
        "succeeded": True,
        "error": None,
        "returnValue": "dear Bo",
        "outputs": {},
    }

    status, _, answer = host.fetch("/admin/functions/write", "POST", '{"input": ""}', headers)
    assert (status, json.loads(answer)["succeeded"]) == (500, False)
    assert json.loads(answer)["error"]


def test_the_parts_of_a_blobs_name_name_other_bindings(host: HostProcess, account: Account) -> None:
    """What the pattern of a blob trigger takes apart stands in the paths of other bindings."""
    account.upload("beside/tea", b"milk")
    account.upload("out/tea", b"green")

    host.wait_for(r"Executed 'Functions.follow' \(Succeeded")
    assert bodies(account, "tea") == [b"green milk"]


def test_v1(run_host: Callable[..., HostProcess], account: Account) -> None:
    """A function.json's bindings are connected likewise, `$return` and `dataType` included."""
    account.upload("paper/ada.txt", b"Ada")
    account.send("letters", "ada")
    host = run_host(
        "host_bindings_v1", "--port", "0", "-v", AzureWebJobsStorage=account.connection, BOX="box"
    )

    host.wait_for(r"Executed 'Functions.letter' \(Succeeded")
    assert account.download("box/ada.txt") == b"dear Ada"
    assert bodies(account, "sent") == [b"ada"]
