"""
Triggers of data that changed: blobs, Cosmos DB, SQL and MySQL.

Semantic conventions 1.44, `faas.document`; an operation that cannot be told from another is
`edit`, as a change feed of latest versions has inserts and updates alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.telemetry._redaction.redactor import redact
from funcscope.telemetry._semconv import BLOB_SIZE, DOCUMENT_COUNT
from funcscope.telemetry._triggers.fields import Field, entries, items, parsed, read, text, whole
from funcscope.telemetry._triggers.table import Declared, Family, setting_field

if TYPE_CHECKING:
    from funcscope.extensions import Invocation

COLLECTION = "faas.document.collection"
NAME = "faas.document.name"
OPERATION = "faas.document.operation"

_SQL_OPERATIONS = {"0": "insert", "1": "edit", "2": "delete"}
"""`SqlChangeOperation` of the SQL extension: Insert, Update, Delete."""


def _path(blob: object) -> tuple[str, str]:
    """Return a blob's container and name; the Azure SDK's BlobClient has them apart."""
    container, name = text(read(blob, "container_name")), text(read(blob, "blob_name"))
    if container and name:
        return container, name
    first, _, rest = (text(read(blob, "name")) or "").lstrip("/").partition("/")
    return first, rest


def _declared_container(declared: Declared) -> str | None:
    container = (declared.setting("path") or "").lstrip("/").partition("/")[0]
    return None if "{" in container else container


def _modified(blob: object) -> object:
    return entries(read(blob, "blob_properties")).get("LastModified")


def _cosmos_operation(declared: Declared) -> str | None:
    """Return `edit`, except where the feed has deletions and every version too."""
    mode = (declared.setting("changeFeedMode") or "").replace("_", "").lower()
    return None if mode == "allversionsanddeletes" else "edit"


def _rows(invocation: Invocation) -> list[object]:
    """Return the rows: a list of its own type, or JSON (azure-functions 2.3.0, `sqlTrigger`)."""
    found = invocation.state.get(_rows)
    if found is None:
        trigger = invocation.trigger
        found = invocation.state[_rows] = items(trigger) or items(parsed(trigger))
    return items(found)


def _row_count(invocation: Invocation) -> int | None:
    return len(_rows(invocation)) or None


def _sql_operation(invocation: Invocation) -> str | None:
    """Return the operation that all rows have."""
    seen = {str(entries(row).get("Operation")) for row in _rows(invocation)}
    return _SQL_OPERATIONS.get(seen.pop()) if len(seen) == 1 else None


BLOB = Family(
    title="Blob",
    types=("blobTrigger",),
    faas_trigger="datasource",
    constants=(
        Field(OPERATION, "`edit`: new and changed blobs look alike", lambda _: "edit"),
        Field(COLLECTION, "binding: first segment of `path`", _declared_container),
    ),
    message=(
        Field(COLLECTION, "first segment of `blob.name`", lambda blob: _path(blob)[0]),
        Field(NAME, "the rest of `blob.name`", lambda blob: redact(_path(blob)[1])),
        Field(BLOB_SIZE, "`blob.length`", lambda blob: whole(read(blob, "length"))),
        Field("faas.document.time", '`blob.blob_properties["LastModified"]`', _modified),
    ),
)

COSMOS = Family(
    title="Cosmos DB",
    types=("cosmosDBTrigger",),
    faas_trigger="datasource",
    constants=(
        setting_field(COLLECTION, "databaseName"),
        setting_field(NAME, "containerName", "collectionName"),
        Field(
            OPERATION,
            "`edit`; nothing where `changeFeedMode` is `AllVersionsAndDeletes`",
            _cosmos_operation,
        ),
    ),
    invocation=(Field(DOCUMENT_COUNT, "how many documents came", _row_count),),
)

SQL = Family(
    title="SQL",
    types=("sqlTrigger",),
    faas_trigger="datasource",
    constants=(setting_field(NAME, "tableName"),),
    invocation=(
        Field(DOCUMENT_COUNT, "how many rows came, in at most 64 KiB of JSON", _row_count),
        Field(OPERATION, "`Operation` of the rows, where it is the same in all", _sql_operation),
    ),
)

MYSQL = Family(
    title="MySQL",
    types=("mysqlTrigger",),
    faas_trigger="datasource",
    constants=(setting_field(NAME, "tableName"),),
    invocation=(Field(DOCUMENT_COUNT, "how many rows came", _row_count),),
)
