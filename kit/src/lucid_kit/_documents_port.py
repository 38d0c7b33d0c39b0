"""The documents port: what a store of documents promises, whichever engine keeps them."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from lucid_kit.errors import DomainError, ValidationFailed

Document: TypeAlias = dict[str, Any]
Scalar: TypeAlias = str | int | float | bool | None
Where: TypeAlias = Mapping[str, Any]
Sort: TypeAlias = Sequence[tuple[str, Literal[1, -1]]]
Operator: TypeAlias = Literal["$eq", "$in", "$gt", "$gte", "$lt", "$lte"]

MAX_BYTES = 16_000_000  # of a document as JSON; MongoDB takes 16 MiB of BSON
MAX_DEPTH = 90  # MongoDB takes 100 levels

_NAME = re.compile("[a-z][a-z0-9_]{0,47}")
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_RANGES = ("$gt", "$gte", "$lt", "$lte")
_INT64 = 1 << 63


class DuplicateKey(DomainError):
    """A document with the same unique value is stored already.

    `index` is the name of the index that forbids it, "id" for the id itself.
    """

    code = "LUCID_ERR_4002"
    advice = "Use another value, or change the document that has this one."

    def __init__(self, detail: str, *, index: str, **facts: object) -> None:
        super().__init__(detail, index=index, **facts)
        self.index = index


class TransactionConflict(DomainError):
    """Another transaction changed the same documents first; nothing of this one was stored."""

    code = "LUCID_ERR_4003"
    advice = "Run the whole transaction again."


@dataclass(frozen=True, slots=True, init=False)
class Index:
    """An index over fields (dotted paths through objects), declared beside the query that needs it.

    Parameters
    ----------
    unique
        No two documents with the same values; a document that lacks one of the fields is left out.
    where
        Only documents with these values (field → scalar) are in the index. A query uses it if it asks for
        them too.
    """

    fields: tuple[str, ...]
    unique: bool
    where: tuple[tuple[str, Scalar], ...]

    def __init__(self, *fields: str, unique: bool = False, where: Mapping[str, Scalar] | None = None) -> None:
        if not fields:
            raise ValueError("an index needs a field")
        for path in (*fields, *(where or {})):
            check_path(path)
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "unique", unique)
        object.__setattr__(self, "where", tuple(sorted((where or {}).items())))

    @property
    def name(self) -> str:
        """Made from the definition, so that another definition is another index."""
        words = [path.replace(".", "__").replace("-", "_") for path in self.fields]
        if self.where:
            words.append("where_" + hashlib.sha256(json.dumps(self.where).encode()).hexdigest()[:8])
        return "_".join([*words, *(["unique"] if self.unique else [])])


@dataclass(frozen=True, slots=True, init=False)
class Collection:
    """A named set of documents with its indexes."""

    name: str
    indexes: tuple[Index, ...]

    def __init__(self, name: str, *indexes: Index) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no collection name: a lowercase letter, then letters, digits, _")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "indexes", indexes)


class Documents(Protocol):
    """A store of JSON documents. What a call wrote is durable once the call returns.

    A document is a dict with a string `id` and values that are str, int (64 bit), float (finite), bool,
    None, list or dict. `where` maps a dotted path to a scalar (equality; None also matches a missing
    field) or to `{"$in": […]}`, `{"$gt" | "$gte" | "$lt" | "$lte": value}`; a comparison matches values of
    its own type only, and a field that holds a list matches nothing. Usable concurrently.

    Every call may raise `StoreUnavailable`; every write `StoreFull` and `StoreReadOnly`.
    """

    async def ensure(self, *collections: Collection) -> None:
        """Make collections and indexes that do not exist; must precede any use of a collection."""
        ...

    async def insert(self, collection: str, document: Document) -> None:
        """Store a new document.

        Raises
        ------
        DuplicateKey
            Naming the index. ValidationFailed if the document holds what cannot be stored.
        """
        ...

    async def get(self, collection: str, id: str) -> Document | None:  # noqa: A002
        """The document with that id."""
        ...

    async def find(
        self,
        collection: str,
        where: Where | None = None,
        *,
        sort: Sort = (),
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Document]:
        """Documents that match, in the order of `sort` and then of their ids.

        `after` is `page_cursor(last, sort)` of the page before, with the same `sort`.
        """
        ...

    async def count(self, collection: str, where: Where | None = None) -> int:
        """How many documents match."""
        ...

    async def replace(self, collection: str, document: Document, *, expect: Where | None = None) -> bool:
        """Compare and swap: store `document` over the one with its id, if that one matches `expect`."""
        ...

    async def replace_each(self, collection: str, swaps: Sequence[tuple[Document, Where]]) -> int:
        """`replace` for several at once, each with what it expects; how many matched and are stored.

        For use inside a transaction, where who wants all or none raises if it is not all; outside of one
        an error may leave those before it stored.
        """
        ...

    async def update(
        self,
        collection: str,
        id: str,  # noqa: A002
        set: Mapping[str, Any],  # noqa: A002
        *,
        expect: Where | None = None,
    ) -> Document | None:
        """Set fields by dotted path, if the document matches `expect`; the new document, or None."""
        ...

    async def delete(self, collection: str, id: str, *, expect: Where | None = None) -> bool:  # noqa: A002
        """Remove the document with that id, if it matches `expect`."""
        ...

    def transaction(self) -> "AbstractAsyncContextManager[Documents]":
        """All or nothing: what is done through the yielded Documents is stored when the block ends well.

        Reads inside see a state that no one else changes. May raise `TransactionConflict`, inside or at
        the end.
        """
        ...

    async def ping(self) -> None:
        """Raises `StoreUnavailable` unless the store answers."""
        ...

    async def close(self) -> None:
        """Let go of the store. Calls that run come to their end."""
        ...


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a parsed `where`."""

    path: str
    operator: Operator
    value: Any


def conditions(where: Where | None) -> list[Condition]:
    """Parse a `where`.

    Raises
    ------
    ValueError
        If it is not of the documented form: that is a mistake in a program, never in a request.
    """
    parsed: list[Condition] = []
    for path, wanted in (where or {}).items():
        check_path(path)
        operator: Any
        for operator, value in wanted.items() if isinstance(wanted, Mapping) else [("$eq", wanted)]:
            if operator == "$in" and isinstance(value, list | tuple | set | frozenset):
                parsed.append(Condition(path, "$in", [_scalar(path, item) for item in value]))
            elif operator == "$eq" or (
                operator in _RANGES and value is not None and not isinstance(value, bool)
            ):
                parsed.append(Condition(path, operator, _scalar(path, value)))
            else:
                raise ValueError(f"where {path}: {operator} {type(value).__name__} is not a comparison")
    return parsed


def check_path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is no field path")
    return path


def check_document(document: Mapping[str, Any]) -> str:
    """The document as JSON, if it can be stored by every engine and read back the same.

    Raises
    ------
    ValidationFailed
        Naming the field and what is wrong with it.
    """
    identifier = document.get("id")
    if not isinstance(identifier, str) or not identifier or len(identifier) > 1000 or "\0" in identifier:
        raise ValidationFailed("A document needs an id: a string of 1 to 1000 characters", field="id")
    check_value("", document)
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise ValidationFailed("A document's text must be Unicode; half a surrogate pair is not") from None
    if size > MAX_BYTES:
        raise ValidationFailed(f"The document has {size} bytes; {MAX_BYTES} can be stored", size=size)
    return text


def check_value(path: str, value: object, depth: int = 0) -> None:
    """Refuse what JSON, SQLite or BSON cannot hold, by its path."""
    if depth > MAX_DEPTH:
        raise ValidationFailed(f"The document is nested deeper than {MAX_DEPTH} levels", field=path[:200])
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key or key.startswith("$") or "." in key or "\0" in key:
                raise ValidationFailed(f"{key!r} cannot be a field's name", field=path)
            check_value(f"{path}.{key}" if path else key, item, depth + 1)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            check_value(f"{path}.{number}", item, depth + 1)
    elif isinstance(value, bool) or value is None or isinstance(value, str):
        pass
    elif isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise ValidationFailed(f"{path} does not fit 64 bits", field=path)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValidationFailed(f"{path} is not a finite number", field=path)
    else:
        raise ValidationFailed(f"{path} is a {type(value).__name__}, which is not JSON", field=path)


def apply_set(document: Document, changes: Mapping[str, Any]) -> Document:
    """A copy of `document` with dotted paths set, making objects on the way.

    Raises
    ------
    ValidationFailed
        If a path leads through something that is not an object. ValueError if the id would change.
    """
    changed: Document = json.loads(json.dumps(document))
    for path, value in changes.items():
        *way, last = check_path(path).split(".")
        if path == "id":
            raise ValueError("an id never changes")
        place = changed
        for step in way:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise ValidationFailed(f"{path} leads through {step}, which is not an object", field=path)
        place[last] = value
    return changed


def value_at(document: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path; None if nothing does."""
    place: Any = document
    for step in path.split("."):
        if not isinstance(place, Mapping) or step not in place:
            return None
        place = place[step]
    return place


def full_sort(sort: Sort) -> list[tuple[str, int]]:
    """The sort with the id at its end, so that every order is total and pages do not overlap."""
    order = [(check_path(path), int(direction)) for path, direction in sort]
    if all(path != "id" for path, _ in order):
        order.append(("id", order[-1][1] if order else 1))
    return order


def page_cursor(document: Document, sort: Sort = ()) -> str:
    """Where a page ends: opaque text for `find(after=…)` and for callers of an API."""
    values = [value_at(document, path) for path, _ in full_sort(sort)]
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(after: str, sort: Sort) -> list[Scalar]:
    """The values of the last document's sort fields.

    Raises
    ------
    ValidationFailed
        If the text is not a cursor of this sort: it comes from outside.
    """
    try:
        values = json.loads(base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True))
        if len(values) != len(full_sort(sort)) or not isinstance(values[-1], str):
            raise ValueError(after)
        return [_scalar("after", value) for value in values]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValidationFailed("That is not a page cursor of this list", field="after") from None


def _scalar(path: str, value: object) -> Scalar:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError(f"where {path}: {type(value).__name__} is no scalar of a document")
