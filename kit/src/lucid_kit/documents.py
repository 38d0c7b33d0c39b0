"""Documents: JSON by id and by declared indexes, on one machine (SQLite) or many (MongoDB).

    documents = await open_documents("sqlite:///var/lib/lucid/sessions.db")
    await documents.ensure(Collection("sessions", Index("state", "created_ms"), Index("port", unique=True)))

Both adapters pass one contract suite. Nothing above this port knows which engine it talks to.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from lucid_kit._documents_mongo import MongoDocuments
from lucid_kit._documents_port import (
    Collection,
    Document,
    Documents,
    DuplicateKey,
    Index,
    Sort,
    TransactionConflict,
    Where,
    page_cursor,
)
from lucid_kit._documents_sqlite import SqliteDocuments
from lucid_kit._sqlite_file import StoreDamaged
from lucid_kit.settings import SettingsInvalid

__all__ = [
    "Collection",
    "Document",
    "Documents",
    "DuplicateKey",
    "Index",
    "Sort",
    "StoreDamaged",
    "TransactionConflict",
    "Where",
    "open_documents",
    "page_cursor",
]


async def open_documents(url: str) -> Documents:
    """Open a store: `sqlite:///absolute/path.db`, or `mongodb://host,…/database?replicaSet=rs0`.

    Raises
    ------
    SettingsInvalid
        If the address is of another form. StoreUnavailable if the store does not answer.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and not parts.netloc and parts.path.startswith("/"):
        return await SqliteDocuments.open(Path(unquote(parts.path)))
    if parts.scheme in ("mongodb", "mongodb+srv") and len(parts.path) > 1:
        return await MongoDocuments.open(url)
    raise SettingsInvalid(
        "A documents address is sqlite:///absolute/path.db or mongodb://host/database?replicaSet=name",
        scheme=parts.scheme,
    )
