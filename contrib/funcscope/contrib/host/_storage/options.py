"""
The settings of queues and blobs in `host.json`.

Names, ranges and defaults are those of azure-sdk-for-net, `QueuesOptions.cs` and `BlobsOptions.cs`;
the longest wait between polls is 2 s as in a development environment
(`StorageQueuesWebJobsBuilderExtensions.cs`).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from funcscope.contrib._local.errors import raised_as
from funcscope.contrib._local.jsonfile import get_object, read_json_object
from funcscope.contrib.host._storage.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(\.\d{1,7})?")
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


def read_queue_options(directory: Path) -> QueueOptions:
    """
    Read `extensions.queues` of an app's `host.json`.

    Raises:
        StorageError: A value is not what it must be; the message says what that is.
    """
    section = _Section(directory / "host.json", "queues")
    batch = section.number("batchSize", 16, 1, _MOST_AT_ONCE)
    cores = os.cpu_count() or 1
    encoding = str(section.get("messageEncoding", "base64")).lower()
    if encoding not in ("base64", "none"):
        raise section.wrong("messageEncoding", "'base64' or 'none'")
    return QueueOptions(
        batch_size=batch,
        new_batch_threshold=section.number("newBatchThreshold", batch // 2 * cores, 0),
        max_dequeue_count=section.number("maxDequeueCount", 5, 1),
        max_polling_interval_s=section.seconds("maxPollingInterval", 2.0, _LEAST_POLL_S),
        visibility_timeout_s=section.seconds("visibilityTimeout", 0.0, 0.0),
        encoding=encoding,
    )


def read_blob_options(directory: Path) -> BlobOptions:
    """
    Read `extensions.blobs` of an app's `host.json`.

    Raises:
        StorageError: A value is not what it must be; the message says what that is.
    """
    section = _Section(directory / "host.json", "blobs")
    return BlobOptions(
        at_once=section.number("maxDegreeOfParallelism", 8 * (os.cpu_count() or 1), 1),
        poison_threshold=section.number("poisonBlobThreshold", 5, 1),
    )


class _Section:
    """A section of `host.json`'s `extensions`; its keys are found in any case."""

    def __init__(self, path: Path, name: str) -> None:
        with raised_as(StorageError):
            extensions = get_object(read_json_object(path), "extensions", path)
            section = get_object(extensions, name, path)
        self._values = {key.lower(): value for key, value in section.items()}
        self._path, self._name = path, name

    def get(self, key: str, default: object) -> object:
        """Return a value; null is none."""
        value = self._values.get(key.lower())
        return default if value is None else value

    def wrong(self, key: str, expected: str) -> StorageError:
        """Make the error of a value."""
        value = self._values.get(key.lower())
        return StorageError(f"{self._path}: {self._name}.{key} is {value!r}: it must be {expected}")

    def number(self, key: str, default: int, least: int, most: int | None = None) -> int:
        """Return a whole number within bounds."""
        value = self.get(key, default)
        if isinstance(value, str) and value.strip().isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(key, "a whole number")
        if value < least or (most is not None and value > most):
            raise self.wrong(key, f"{least} or more" if most is None else f"{least} to {most}")
        return value

    def seconds(self, key: str, default: float, least: float) -> float:
        """Return a span of time; one without colons is days, as .NET reads it."""
        text = str(self.get(key, "")).strip()
        if not text:
            return default
        if text.isdecimal():
            return int(text) * 86400.0
        match = _SPAN.fullmatch(text)
        if match is None:
            raise self.wrong(key, "a span of time such as '00:00:30'")
        days, hours, minutes, seconds, fraction = match.groups(default="0")
        whole = int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + int(seconds)
        span = whole + float(fraction)
        if span < least:
            raise self.wrong(key, f"{least:g} s or more")
        return span
