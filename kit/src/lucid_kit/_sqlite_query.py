"""The port's queries and indexes as SQL.

A field is read by two expressions: `body ->> '$.path'` gives its value, for order and ranges, and
`body -> '$.path'` its JSON, which tells true from 1, "[1]" from [1], and null from missing. Plain indexes
hold the first, unique ones the second; an equality states both, so either index serves it.
"""

from typing import Any

from lucid_kit._documents_port import (
    Collection,
    Condition,
    Index,
    Scalar,
    Sort,
    Where,
    conditions,
    full_sort,
    read_cursor,
)
from lucid_kit._sqlite_text import escape, json_of


def select(
    collection: Collection, where: Where | None, sort: Sort, limit: int | None, after: str | None
) -> tuple[str, list[Scalar]]:
    """The statement of a `find` and its bound values."""
    order = full_sort(sort)
    clause, values = where_clause(collection, conditions(where))
    if after is not None:
        more, bound = _beyond(order, read_cursor(after, sort))
        clause, values = f"({clause}) AND {more}", values + bound
    by = ", ".join(f"{_value(path)} {'ASC' if way > 0 else 'DESC'}" for path, way in order)
    sql = f'SELECT body FROM "{collection.name}" WHERE {clause} ORDER BY {by}'  # noqa: S608
    if limit is not None:
        sql, values = f"{sql} LIMIT ?", [*values, max(0, limit)]
    return sql, values


def create_index(table: str, index: Index) -> str:
    """The statement that makes an index unless it exists."""
    columns = [_json(path) if index.unique else _value(path) for path in index.fields]
    if not index.unique and "id" not in index.fields:
        columns.append("id")  # the end of every sort
    unique = "UNIQUE " if index.unique else ""
    sql = f'CREATE {unique}INDEX IF NOT EXISTS "{table}__{index.name}" ON "{table}" ({", ".join(columns)})'
    if index.where:
        sql += " WHERE " + " AND ".join(_literal(path, value) for path, value in index.where)
    return sql


def _value(path: str) -> str:
    return "id" if path == "id" else f"body ->> '{_json_path(path)}'"


def _json(path: str) -> str:
    return "id" if path == "id" else f"body -> '{_json_path(path)}'"


def _json_path(path: str) -> str:
    return "$." + ".".join(f'"{step}"' for step in path.split("."))


def _literal(path: str, value: Scalar) -> str:
    """An index's own condition, word for word: SQLite takes a partial index only if the query repeats it."""
    if value is None:
        return f"{_value(path)} IS NULL"
    return f"{_json(path)} = '" + json_of(value).replace("'", "''") + "'"


def where_clause(collection: Collection, wanted: list[Condition]) -> tuple[str, list[Scalar]]:
    """What stands after WHERE, and its bound values."""
    clauses, values = ["1"], list[Scalar]()
    partial = {condition for index in collection.indexes for condition in index.where}
    for condition in wanted:
        clause, bound = _compare(condition)
        clauses.append(clause)
        values += bound
        if condition.operator == "$eq" and (condition.path, condition.value) in partial:
            clauses.append(_literal(condition.path, condition.value))
    return " AND ".join(clauses), values


def _compare(condition: Condition) -> tuple[str, list[Scalar]]:
    path, operator, wanted = condition.path, condition.operator, condition.value
    if operator in ("$eq", "$in"):
        return _among(path, [wanted] if operator == "$eq" else wanted)
    sign = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}[operator]
    if path == "id":
        return f"id {sign} ?", [escape(wanted)]
    kinds = "'text'" if isinstance(wanted, str) else "'integer', 'real'"
    clause = f"({_value(path)} {sign} ? AND json_type(body, '{_json_path(path)}') IN ({kinds}))"
    return clause, [escape(wanted)]


def _among(path: str, wanted: list[Scalar]) -> tuple[str, list[Scalar]]:
    present = [value for value in wanted if value is not None]
    clauses: list[str] = []
    bound: list[Scalar] = []
    if present and path == "id":
        clauses.append(f"id {_in(present)}")
        bound += [escape(value) for value in present]
    elif present:
        texts = [text for value in present for text in _texts(value)]
        clauses.append(f"({_value(path)} {_in(present)} AND {_json(path)} {_in(texts)})")
        bound += [*(escape(value) for value in present), *texts]
    if len(present) < len(wanted):
        clauses.append(f"{_value(path)} IS NULL")
    return f"({' OR '.join(clauses)})" if clauses else "0", bound


def _in(values: list[Any]) -> str:
    return "= ?" if len(values) == 1 else f"IN ({', '.join('?' * len(values))})"


def _texts(value: Scalar) -> list[str]:
    """How JSON may write a value: 1 and 1.0 are the same number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return [json_of(value), json_of(int(value))]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53:
        return [json_of(value), json_of(float(value))]
    return [json_of(value)]


def _beyond(order: list[tuple[str, int]], last: list[Scalar]) -> tuple[str, list[Scalar]]:
    """Rows after `last`: a missing value comes first going up, last going down, as SQLite sorts."""
    clauses: list[str] = []
    bound: list[Scalar] = []
    same: list[str] = []
    same_bound: list[Scalar] = []
    for (path, way), raw in zip(order, last, strict=True):
        field, value = _value(path), escape(raw)
        if value is None:
            later = f"{field} IS NOT NULL" if way > 0 else "0"
        else:
            later = f"{field} > ?" if way > 0 else f"({field} < ? OR {field} IS NULL)"
        values = [] if value is None else [value]
        clauses.append(" AND ".join([*same, later]))
        bound += [*same_bound, *values]
        same.append(f"{field} IS ?")
        same_bound.append(value)
    beyond = f"({' OR '.join(clauses)})"
    if order[0][1] > 0 and last[0] is not None:
        # Says nothing new, but lets SQLite begin in the middle of the index.
        return f"{_value(order[0][0])} >= ? AND {beyond}", [escape(last[0]), *bound]
    return beyond, bound
