"""Blobs of an account, as the host uses them."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

from funcscope.contrib.host._storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from azure.storage.blob import BlobProperties

    from funcscope.contrib.host._storage.sdk import StorageAccount

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """
    A blob as a listing has it.

    Attributes:
        etag: With its quotes; it changes whenever the blob does.
        kind: `BlockBlob`, `AppendBlob` or `PageBlob`.
        properties: As the Functions host sends them, by .NET's names.
    """

    container: str
    name: str
    etag: str
    kind: str
    last_modified: datetime | None
    metadata: Mapping[str, str]
    properties: Mapping[str, object]

    @property
    def path(self) -> str:
        """Container and name."""
        return f"{self.container}/{self.name}"


@dataclass(frozen=True, slots=True)
class BlobContent:
    """
    A blob that was read.

    Attributes:
        url: Where it is, without a signature.
        content: Empty where only its properties were asked for.
    """

    entry: BlobEntry
    url: str
    content: bytes


def split_path(path: str) -> tuple[str, str]:
    """
    Return the container and the blob of a path; a path may be a container's alone.

    Raises:
        StorageError: It is neither.
    """
    container, _, name = path.strip("/").partition("/")
    if not container:
        raise StorageError(f"the path {path!r} is none: write 'container/blob'")
    return container, name


def split_url(url: str) -> tuple[str, str]:
    """
    Return the container and the blob of a blob's URL.

    The account stands in front of the path where the host is an address, as Azurite's is
    (azure-sdk-for-net, `BlobUriBuilder.cs`).

    >>> split_url("http://127.0.0.1:10000/devstoreaccount1/uploads/a%20b.txt")
    ('uploads', 'a b.txt')
    """
    parts = urlsplit(url)
    path = unquote(parts.path).strip("/")
    host = parts.hostname or ""
    is_address = host == "localhost" or ":" in host or host.replace(".", "").isdecimal()
    return split_path(path.partition("/")[2] if is_address else path)


class BlobStore:
    """The blobs of an account."""

    def __init__(self, account: StorageAccount) -> None:
        self._account = account
        self._service = account.blobs

    def _what(self, path: str) -> str:
        return f"blob {path!r} of account {self._account.name!r}"

    async def list(self, container: str, prefix: str) -> list[BlobEntry]:
        """List the blobs whose names begin so; none where there is no such container."""

        def found() -> list[BlobEntry]:
            client = self._service.get_container_client(container)
            blobs = client.list_blobs(name_starts_with=prefix or None, include=["metadata"])
            return [_entry(container, blob) for blob in blobs]

        listed = await self._account.call(self._what(container), _unless_missing, found)
        return listed or []

    async def read(
        self, container: str, name: str, *, has_content: bool = True
    ) -> BlobContent | None:
        """Read a blob, or its properties alone; None where it is missing."""

        def content() -> BlobContent:
            client = self._service.get_blob_client(container, name)
            if not has_content:
                entry = _entry(container, client.get_blob_properties())
                return BlobContent(entry, _without_query(client.url), b"")
            download = client.download_blob()
            entry = _entry(container, download.properties)
            return BlobContent(entry, _without_query(client.url), download.readall())

        what = self._what(f"{container}/{name}")
        return await self._account.call(what, _unless_missing, content)

    async def write(self, container: str, name: str, content: bytes) -> None:
        """Write a blob, in place of one that is there; its container is created if missing."""

        def write() -> None:
            self._service.get_blob_client(container, name).upload_blob(content, overwrite=True)

        await self._account.call(
            self._what(f"{container}/{name}"), self._with_container, container, write
        )

    async def create(self, container: str, name: str, metadata: dict[str, str]) -> bool:
        """Create an empty blob; False where it is there."""
        from azure.core.exceptions import ResourceExistsError

        def create() -> bool:
            client = self._service.get_blob_client(container, name)
            try:
                client.upload_blob(b"", overwrite=False, metadata=metadata)
            except ResourceExistsError:
                return False
            return True

        what = self._what(f"{container}/{name}")
        return await self._account.call(what, self._with_container, container, create)

    async def set_metadata(
        self, container: str, name: str, metadata: dict[str, str], *, etag: str | None = None
    ) -> bool:
        """Replace a blob's metadata; False where it is missing, or has another ETag than asked."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

        def replace() -> bool:
            client = self._service.get_blob_client(container, name)
            try:
                if etag is None:
                    client.set_blob_metadata(metadata)
                else:
                    match = MatchConditions.IfNotModified
                    client.set_blob_metadata(metadata, etag=etag, match_condition=match)
            except (ResourceModifiedError, ResourceNotFoundError):
                return False
            return True

        return await self._account.call(self._what(f"{container}/{name}"), replace)

    def _with_container(self, container: str, change: Callable[[], _T]) -> _T:
        """Make a change; where the container is missing, create that and make it again."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        try:
            return change()
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):  # somebody else was faster
                self._service.get_container_client(container).create_container()
            return change()


def _unless_missing(read: Callable[[], _T]) -> _T | None:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return read()
    except ResourceNotFoundError:
        return None


def _without_query(url: str) -> str:
    return url.partition("?")[0]


def _entry(container: str, blob: BlobProperties) -> BlobEntry:
    metadata = {str(name): str(value) for name, value in (blob.metadata or {}).items()}
    etag = str(blob.etag or "").strip('"')
    return BlobEntry(
        container=container,
        name=str(blob.name),
        etag=f'"{etag}"',
        kind=str(getattr(blob.blob_type, "value", blob.blob_type)),
        last_modified=blob.last_modified,
        metadata=metadata,
        properties=_dotnet_properties(blob, f'"{etag}"', metadata),
    )


def _dotnet_properties(
    blob: BlobProperties, etag: str, metadata: dict[str, str]
) -> dict[str, object]:
    settings = blob.content_settings
    md5 = settings.content_md5
    return {
        "LastModified": blob.last_modified.isoformat() if blob.last_modified else None,
        "CreatedOn": blob.creation_time.isoformat() if blob.creation_time else None,
        "Metadata": metadata,
        "ETag": etag,
        "ContentLength": blob.size,
        "ContentType": settings.content_type,
        "ContentEncoding": settings.content_encoding,
        "ContentLanguage": settings.content_language,
        "ContentDisposition": settings.content_disposition,
        "CacheControl": settings.cache_control,
        "ContentHash": base64.b64encode(bytes(md5)).decode() if md5 else None,
    }
