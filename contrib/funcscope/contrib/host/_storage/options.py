"""
The settings of queues and blobs in `host.json`.

Names, ranges and defaults are those of azure-sdk-for-net, `QueuesOptions.cs` and `BlobsOptions.cs`;
the longest wait between polls is 2 s as in a development environment
(`StorageQueuesWebJobsBuilderExtensions.cs`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from funcscope.contrib._local.errors import raised_as
from funcscope.contrib._local.jsonfile import describe
from funcscope.contrib.host._storage.errors import StorageError

if TYPE_CHECKING:
    from funcscope.contrib._local.host_json import HostJson

_QUEUES, _BLOBS = ("extensions", "queues"), ("extensions", "blobs")
_MOST_AT_ONCE = 32  # what the service gives in one answer
_LEAST_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """
    How the messages of a queue are taken.

    Attributes:
        batch_size: Messages asked for at once, 1 to 32.
        new_batch_threshold: More are asked for when no more than these are in progress.
        max_dequeue_count: Attempts before a message goes to the poison queue.
        max_polling_interval_s: The longest wait after an empty answer.
        visibility_timeout_s: How long a message that has failed waits for its next attempt.
        encoding: `base64` or `none`.
    """

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    max_polling_interval_s: float = 2.0
    visibility_timeout_s: float = 0.0
    encoding: str = "base64"


@dataclass(frozen=True, slots=True)
class BlobOptions:
    """
    How the blobs of a container are taken.

    Attributes:
        at_once: `maxDegreeOfParallelism`, the blobs that a host works on at once.
        poison_threshold: Attempts before a blob is given up.
    """

    at_once: int = 8
    poison_threshold: int = 5


def read_queue_options(host_json: HostJson) -> QueueOptions:
    """
    Read `extensions.queues` of an app's `host.json`.

    Raises:
        StorageError: A value is not what it must be; the message says what that is.
    """
    with raised_as(StorageError):
        batch = _number(host_json, *_QUEUES, "batchSize", default=16, least=1, most=_MOST_AT_ONCE)
        threshold = batch // 2 * (os.cpu_count() or 1)
        return QueueOptions(
            batch_size=batch,
            new_batch_threshold=_number(
                host_json, *_QUEUES, "newBatchThreshold", default=threshold, least=0
            ),
            max_dequeue_count=_number(host_json, *_QUEUES, "maxDequeueCount", default=5, least=1),
            max_polling_interval_s=_seconds(
                host_json, "maxPollingInterval", default=2.0, least=_LEAST_POLL_S
            ),
            visibility_timeout_s=_seconds(host_json, "visibilityTimeout", default=0.0, least=0.0),
            encoding=_encoding(host_json),
        )


def read_blob_options(host_json: HostJson) -> BlobOptions:
    """
    Read `extensions.blobs` of an app's `host.json`.

    Raises:
        StorageError: A value is not what it must be; the message says what that is.
    """
    at_once = 8 * (os.cpu_count() or 1)
    with raised_as(StorageError):
        return BlobOptions(
            at_once=_number(host_json, *_BLOBS, "maxDegreeOfParallelism", default=at_once, least=1),
            poison_threshold=_number(host_json, *_BLOBS, "poisonBlobThreshold", default=5, least=1),
        )


def _encoding(host_json: HostJson) -> str:
    encoding = host_json.text(*_QUEUES, "messageEncoding", default="base64").lower()
    if encoding not in ("base64", "none"):
        raise _wrong(host_json, _QUEUES, "messageEncoding", "'base64' or 'none'")
    return encoding


def _number(
    host_json: HostJson, *keys: str, default: int, least: int, most: int | None = None
) -> int:
    value = host_json.integer(*keys, default=default)
    if value < least or (most is not None and value > most):
        expected = f"{least} or more" if most is None else f"{least} to {most}"
        raise _wrong(host_json, keys[:-1], keys[-1], expected)
    return value


def _seconds(host_json: HostJson, key: str, *, default: float, least: float) -> float:
    value = host_json.seconds(*_QUEUES, key, default=default)
    if value < least:
        raise _wrong(host_json, _QUEUES, key, f"{least:g} s or more")
    return value


def _wrong(host_json: HostJson, section: tuple[str, ...], key: str, expected: str) -> StorageError:
    value = describe(host_json.get(*section, key))
    place = f"{key!r} is {value} in {'.'.join(section)!r}"
    return StorageError(f"{host_json.path}: {place}: it must be {expected}")
