"""Documents in MongoDB: a replica set, majority writes with journal, majority reads from the primary."""

import contextlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.int64 import Int64
from pymongo import AsyncMongoClient, ReadPreference, ReturnDocument
from pymongo import errors as mongo
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from lucid_kit._documents_port import (
    Collection,
    Condition,
    Document,
    Documents,
    DuplicateKey,
    Index,
    Scalar,
    Sort,
    TransactionConflict,
    Where,
    apply_set,
    check_document,
    conditions,
    full_sort,
    read_cursor,
)
from lucid_kit.errors import LucidError, StoreFull, StoreReadOnly, StoreUnavailable, ValidationFailed

_DEADLINE_MS = 20_000  # longer than an election; any call that takes more has failed
_INDEX_NAME = re.compile(r"index: (\S+) dup key")
_EXISTS = 48  # NamespaceExists: another process made it in between
_FULL = (14031,)  # OutOfDiskSpace
_READ_ONLY = (13, 8000, 18)  # Unauthorized, AtlasError, AuthenticationFailed


class MongoDocuments:
    """The adapter. `open` makes one; see `lucid_kit.documents.Documents` for what it promises."""

    def __init__(
        self,
        client: AsyncMongoClient[Document],
        database: AsyncDatabase[Document],
        collections: dict[str, Collection],
        session: AsyncClientSession | None = None,
    ) -> None:
        self._client = client
        self._database = database
        self._collections = collections
        self._session = session

    @classmethod
    async def open(cls, url: str) -> "MongoDocuments":
        """Connect, and wait until the replica set has a primary.

        Raises
        ------
        StoreUnavailable
            If it has none within the URL's `timeoutMS` (20 s unless given), which bounds later calls too.
        """
        options: dict[str, Any] = {"appname": "lucid"}
        if "timeoutms=" not in url.lower():
            options["timeoutMS"] = _DEADLINE_MS
        try:
            client: AsyncMongoClient[Document] = AsyncMongoClient(url, **options)
        except (mongo.PyMongoError, ValueError) as error:
            raise StoreUnavailable(f"The documents address cannot be used: {type(error).__name__}") from None
        database = client.get_database(
            urlsplit(url).path.lstrip("/"),
            codec_options=CodecOptions(tz_aware=True),
            # One primary that a majority follows: what was read or acknowledged is never rolled back.
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern(w="majority", j=True),
        )
        documents = cls(client, database, {})
        try:
            await documents.ping()
        except BaseException:
            await documents.close()
            raise
        return documents

    async def ensure(self, *collections: Collection) -> None:
        if self._session is not None:
            raise RuntimeError("collections are made outside of transactions")
        with translated():
            existing = set(await self._database.list_collection_names())
            for collection in collections:
                if collection.name not in existing:
                    await self._create(collection.name)
                for index in collection.indexes:
                    await self._create_index(collection.name, index)
        self._collections.update({collection.name: collection for collection in collections})

    async def insert(self, collection: str, document: Document) -> None:
        check_document(document)
        with translated(collection):
            await self._of(collection).insert_one(_inward(document), session=self._session)

    async def get(self, collection: str, id: str) -> Document | None:  # noqa: A002
        found = self._of(collection)
        with translated(collection):
            return _outward(await found.find_one({"_id": _unicode(id)}, session=self._session))

    async def find(
        self,
        collection: str,
        where: Where | None = None,
        *,
        sort: Sort = (),
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Document]:
        if limit is not None and limit <= 0:
            return []
        order = [(_field(path), way) for path, way in full_sort(sort)]
        query = _query(conditions(where))
        if after is not None:
            query = {"$and": [query, _beyond(order, read_cursor(after, sort))]}
        cursor = self._of(collection).find(query, sort=order, limit=limit or 0, session=self._session)
        with translated(collection):
            return [_present(document) for document in await cursor.to_list()]

    async def count(self, collection: str, where: Where | None = None) -> int:
        found = self._of(collection)
        with translated(collection):
            return int(await found.count_documents(_query(conditions(where)), session=self._session))

    async def replace(self, collection: str, document: Document, *, expect: Where | None = None) -> bool:
        check_document(document)
        query = _query([Condition("id", "$eq", document["id"]), *conditions(expect)])
        with translated(collection):
            done = await self._of(collection).replace_one(query, _inward(document), session=self._session)
        return bool(done.matched_count)

    async def replace_each(self, collection: str, swaps: Sequence[tuple[Document, Where]]) -> int:
        # One after another: a session takes one call at a time, and a bulk write has errors of its own.
        return sum([await self.replace(collection, each, expect=expect) for each, expect in swaps])

    async def update(
        self,
        collection: str,
        id: str,  # noqa: A002
        set: Mapping[str, Any],  # noqa: A002
        *,
        expect: Where | None = None,
    ) -> Document | None:
        check_document(apply_set({"id": id}, set))  # the same refusals as SQLite's
        query = _query([Condition("id", "$eq", id), *conditions(expect)])
        with translated(collection):
            if not set:
                return _outward(await self._of(collection).find_one(query, session=self._session))
            return _outward(
                await self._of(collection).find_one_and_update(
                    query, {"$set": dict(set)}, return_document=ReturnDocument.AFTER, session=self._session
                )
            )

    async def delete(self, collection: str, id: str, *, expect: Where | None = None) -> bool:  # noqa: A002
        query = _query([Condition("id", "$eq", id), *conditions(expect)])
        with translated(collection):
            done = await self._of(collection).delete_one(query, session=self._session)
        return bool(done.deleted_count)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Documents]:
        if self._session is not None:
            raise RuntimeError("transactions do not nest")
        with translated():
            async with (
                self._client.start_session() as session,
                await session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority", j=True)),
            ):
                yield MongoDocuments(self._client, self._database, self._collections, session)

    async def ping(self) -> None:
        with translated():
            await self._database.command("ping", read_preference=ReadPreference.PRIMARY)

    async def close(self) -> None:
        await self._client.close()

    async def explain(
        self, collection: str, where: Where | None = None, *, sort: Sort = ()
    ) -> dict[str, Any]:
        """MongoDB's winning plan for a `find`, for tests that declared indexes are used."""
        order = [(_field(path), way) for path, way in full_sort(sort)] if sort else None
        plan = await self._of(collection).find(_query(conditions(where)), sort=order).explain()
        return dict(plan["queryPlanner"]["winningPlan"])

    def _of(self, name: str) -> AsyncCollection[Document]:
        if name not in self._collections:
            raise ValueError(f"collection {name!r} was not ensured")
        return self._database[name]

    async def _create(self, collection: str) -> None:
        try:
            await self._database.create_collection(collection)
        except (mongo.CollectionInvalid, mongo.OperationFailure) as error:
            if getattr(error, "code", None) not in (None, _EXISTS):
                raise

    async def _create_index(self, collection: str, index: Index) -> None:
        keys = [(_field(path), 1) for path in index.fields]
        only: dict[str, Any] = {_field(path): {"$eq": value} for path, value in index.where}
        options: dict[str, Any] = {"name": index.name}
        if index.unique:
            options["unique"] = True
            # As in SQLite: a document that lacks one of the fields is left out.
            only.update(
                {field: {"$exists": True} for field, _ in keys if field not in only and field != "_id"}
            )
        elif "id" not in index.fields:
            keys.append(("_id", 1))  # the end of every sort
        if only:
            options["partialFilterExpression"] = only
        # With a member down, building an index waits for it: the client's deadline bounds that.
        await self._database[collection].create_index(keys, **options)


def _field(path: str) -> str:
    return "_id" if path == "id" else path


def _inward(document: Document) -> Document:
    rest = {name: value for name, value in document.items() if name != "id"}
    return {"_id": document["id"], **rest}


def _present(document: Document) -> Document:
    identifier = document.pop("_id")
    return {"id": identifier, **_plain(document)}


def _plain(value: Any) -> Any:
    """BSON's 64-bit integers as Python's."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, Int64) else value


def _outward(document: Document | None) -> Document | None:
    return None if document is None else _present(document)


def _query(wanted: list[Condition]) -> dict[str, Any]:
    """A filter that, unlike MongoDB's own, never looks inside lists."""
    clauses: list[dict[str, Any]] = []
    for condition in wanted:
        field = _field(condition.path)
        clauses.append({field: {condition.operator: _unicode_deep(condition.value)}})
        if field != "_id":
            clauses.append({field: {"$not": {"$type": "array"}}})
    return {"$and": clauses} if clauses else {}


def _beyond(order: list[tuple[str, int]], last: list[Scalar]) -> dict[str, Any]:
    """Documents after `last`: a missing value comes first going up and last going down."""
    clauses: list[dict[str, Any]] = []
    same: list[dict[str, Any]] = []
    for (field, way), raw in zip(order, last, strict=True):
        value = _unicode_deep(raw)
        later: dict[str, Any] | None
        if value is None:
            later = {field: {"$ne": None}} if way > 0 else None
        elif way > 0:
            later = {field: {"$gt": value}}
        else:
            later = {"$or": [{field: {"$lt": value}}, {field: None}]}
        if later is not None:
            clauses.append({"$and": [*same, later]})
        same.append({field: value})
    return {"$or": clauses}


def _unicode_deep(value: Any) -> Any:
    if isinstance(value, list):
        return [_unicode_deep(item) for item in value]
    return _unicode(value) if isinstance(value, str) else value


def _unicode(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValidationFailed("Text must be Unicode; half a surrogate pair is not") from None
    return text


@contextlib.contextmanager
def translated(collection: str = "the store") -> Any:
    """PyMongo's errors as the port's."""
    try:
        yield
    except LucidError:
        raise
    except mongo.DuplicateKeyError as error:
        found = _INDEX_NAME.search(str(error))
        index = "id" if found is None or found.group(1) == "_id_" else found.group(1)
        raise DuplicateKey(
            f"{collection} has a document with the same {index} already", index=index
        ) from error
    except (mongo.DocumentTooLarge, BSONError) as error:
        raise ValidationFailed(f"The document cannot be stored: {error}") from error
    except mongo.PyMongoError as error:
        raise _fault(collection, error) from error


def _fault(collection: str, error: mongo.PyMongoError) -> Exception:
    code = getattr(error, "code", None)
    if code == 28:  # PathNotViable: $set through a scalar
        return ValidationFailed(f"A field of {collection} leads through something that is not an object")
    if error.has_error_label("TransientTransactionError") and not isinstance(error, mongo.ConnectionFailure):
        return TransactionConflict(f"Another transaction changed {collection} first")
    if code in _FULL:
        return StoreFull(f"MongoDB has no room for {collection}")
    if code in _READ_ONLY:
        return StoreReadOnly(f"MongoDB refuses to write {collection}: not authorised")
    if (
        isinstance(error, mongo.ConnectionFailure | mongo.ExecutionTimeout | mongo.WTimeoutError)
        or error.timeout
    ):
        return StoreUnavailable(f"MongoDB does not answer: {type(error).__name__}")
    if error.has_error_label("RetryableWriteError"):
        return StoreUnavailable("MongoDB has no primary")
    return error
