"""Blobs start functions, once each."""

from __future__ import annotations

import base64
import json
import re
import signal
from typing import TYPE_CHECKING

import pytest
from tests.patience import PROCESS_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contrib.host.accounts import Account
    from tests.contrib.host.conftest import HostProcess

pytestmark = pytest.mark.library_worker


def seen(host: HostProcess) -> list[dict[str, object]]:
    """Return what the function `upload` has logged."""
    return [json.loads(found) for found in re.findall(r"\] upload (\{.*\})$", host.output, re.M)]


def test_a_blob_starts_its_function_with_its_metadata(
    start: Callable[..., HostProcess], account: Account
) -> None:
    """A blob arrives with its name, address, length, metadata and properties."""
    host = start()
    account.upload("uploads/tea/green.txt", b"\xe9\x00", shelf="7")

    host.wait_for(r"Executed 'Functions.upload' \(Succeeded")
    (blob,) = seen(host)
    assert blob == {
        "name": "uploads/tea/green.txt",
        "uri": f"{account.blobs.url}uploads/tea/green.txt",
        "length": 2,
        "metadata": {"shelf": "7"},
        "type": "application/octet-stream",
        "content": "\xe9\x00",
    }


def test_a_blob_is_processed_once_and_again_when_it_changes(
    start: Callable[..., HostProcess], account: Account
) -> None:
    """A host that is started again leaves a blob alone, until it is written anew."""
    account.upload("uploads/a.txt", b"1")
    first = start()
    first.wait_for(r"Executed 'Functions.upload' \(Succeeded")
    first.stop()

    host = start()
    account.upload("uploads/b.txt", b"2")
    host.wait_for(r'upload .*"content": "2"')
    account.upload("uploads/a.txt", b"3")
    host.wait_for(r'upload .*"content": "3"')
    host.stop()
    assert [blob["content"] for blob in seen(host)] == ["2", "3"]


def test_blobs_that_do_not_match_are_left_alone(
    start: Callable[..., HostProcess], account: Account
) -> None:
    """A blob whose name is not the pattern's starts nothing."""
    account.upload("uploads/README", b"1")
    account.upload("clients/out/a.txt", b"1")
    host = start()
    account.upload("uploads/a.txt", b"2")

    host.wait_for(r"Executed 'Functions.upload' \(Succeeded")
    host.stop()
    assert [blob["content"] for blob in seen(host)] == ["2"]
    assert "client out" not in host.output


def test_a_blob_that_fails_is_given_up(start: Callable[..., HostProcess], account: Account) -> None:
    """After five attempts a blob is named in the poison queue of blob triggers."""
    account.upload("uploads/a.txt", b"bad")
    host = start()

    host.wait_for(
        r"blob triggers: message \S+ is given up at attempt 5, and moved to the queue "
        "'webjobs-blobtrigger-poison'"
    )
    host.stop()
    assert len(seen(host)) == 5
    (text,) = account.texts("webjobs-blobtrigger-poison")
    message = json.loads(base64.b64decode(text))
    assert message.pop("ETag")
    assert message == {
        "Type": "BlobTrigger",
        "FunctionId": "Host.Functions.upload",
        "BlobType": "BlockBlob",
        "ContainerName": "uploads",
        "BlobName": "a.txt",
    }


def test_a_function_gets_a_client_of_the_sdk(
    start: Callable[..., HostProcess], account: Account
) -> None:
    """A function that asks for a `BlobClient` gets one of its blob."""
    host = start()
    account.upload("clients/in/a.txt", b"tea")

    host.wait_for(r"client in/a\.txt has tea")


def test_many_blobs_start_their_function_once_each(
    start: Callable[..., HostProcess], account: Account
) -> None:
    """200 blobs are processed once each, though the host is stopped among them."""
    names = [str(number) for number in range(200)]
    for name in names:
        account.upload(f"uploads/{name}.txt", name.encode())
    host = start()

    host.wait_for(r'upload .*"content": "5\d"', timeout_s=PROCESS_S)
    host.send(signal.SIGTERM)
    host.wait()
    again = start()
    account.upload("uploads/last.txt", b"last")
    again.wait_for(r'upload .*"content": "last"', timeout_s=PROCESS_S)
    again.stop()

    contents = [str(blob["content"]) for blob in (*seen(host), *seen(again))]
    assert sorted(contents) == sorted([*names, "last"])


def test_a_killed_host_loses_no_blob(start: Callable[..., HostProcess], account: Account) -> None:
    """What a host that was killed had found, or had begun, is done by the next one."""
    names = [f"{number:02}" for number in range(60)]
    for name in names:
        account.upload(f"uploads/{name}.txt", name.encode())
    killed = start()
    killed.wait_for(r'upload .*"content": "1\d"', timeout_s=PROCESS_S)
    killed.send(signal.SIGKILL)
    killed.wait()
    done = {str(blob["content"]) for blob in seen(killed)}
    host = start()

    for name in sorted(set(names) - done):
        host.wait_for(f'upload .*"content": "{name}"', timeout_s=PROCESS_S)
    assert done < set(names)
