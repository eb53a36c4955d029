"""The statements: INSERT, INSERT ... ON CONFLICT, UPDATE and DELETE of many rows from one source.

Pure. SQLAlchemy compiles them, keeps what it compiled, and runs them under its events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Select,
    TextClause,
    Update,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    table,
    types,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, distinct_on, insert
from sqlalchemy.schema import DefaultClause
from sqlalchemy.sql.visitors import replacement_traverse

from dal.write.batch import Batch
from dal.write.conflict import Arbiter
from dal.write.source import ROW
from dal.write.target import Target

# The first version whose RETURNING knows the row as it was.
_KNOWS_OLD = (18,)


@dataclass(frozen=True, slots=True, eq=False)
class Conflict:
    """What to do with a row whose key is there: `values` is what an update sets, and nothing if it is empty."""

    arbiter: Arbiter
    values: dict[Column[Any], Any]
    where: ColumnElement[bool] | None = None


def insertion(target: Target, batch: Batch, source: FromClause | Select[Any]) -> Insert:
    """Insert every row of *source*, in its order."""
    rows = source.subquery("dal_rows") if isinstance(source, Select) else source
    chosen = select(*batch.expressions(rows))
    if ROW in rows.c:
        chosen = chosen.order_by(rows.c[ROW])
    names = [each.key for each in batch.columns]
    return insert(target.table).from_select(names, chosen, include_defaults=False)


def upsertion(target: Target, batch: Batch, source: FromClause | Select[Any], conflict: Conflict) -> Insert:
    """Insert every row of *source*, or update the one that has its key."""
    statement = insertion(target, batch, source)
    arbiter = conflict.arbiter
    on: dict[str, Any] = (
        {"constraint": arbiter.constraint}
        if arbiter.constraint
        else {"index_elements": list(arbiter.keys), "index_where": arbiter.where}
    )
    if not conflict.values:
        return statement.on_conflict_do_nothing(**on)
    values = {each.key: value for each, value in conflict.values.items()}
    return statement.on_conflict_do_update(**on, set_=values, where=conflict.where)


def counted(statement: Insert, target: Target, server: tuple[Any, ...]) -> Select[Any, Any]:
    """Count the rows that an upsert inserted, and all that it wrote."""
    if server >= _KNOWS_OLD and target.table.name != "old":
        key = target.key[0].name
        fresh: ColumnElement[bool] = table("old", column(key)).c[key].is_(None)
    else:
        # An updated row was locked by this transaction before, and carries its mark.
        fresh = column("xmax") == literal_column("0")
    written = statement.returning(fresh.label("inserted")).cte("written")
    return select(func.count().filter(written.c.inserted), func.count()).select_from(written)


def updating(target: Target, batch: Batch, source: FromClause | Select[Any], extra: dict[Column[Any], Any]) -> Update:
    """Set each row's columns, but the key, on the row of the table with its key."""
    rows = source.subquery("dal_rows") if isinstance(source, Select) else source
    written = dict(zip(batch.columns, batch.expressions(rows), strict=True))
    same = [key == written.pop(key) for key in target.key]
    mapper = target.mapper
    if mapper.single and mapper.polymorphic_on is not None:
        same.append(mapper.polymorphic_on.in_([each.polymorphic_identity for each in mapper.self_and_descendants]))
    values = {each.key: value for each, value in (written | extra).items()}
    return update(target.table).where(*same).values(values)


def last_of_each_key(batch: Batch, source: FromClause, arbiter: Arbiter) -> Select[Any]:
    """Let the server keep the last row of each key, as it compares."""
    rows, keys = _as_stored(batch, source, arbiter)
    number = rows.c[ROW]
    names = [rows.c[each.column.name] for each in batch.sent]
    return select(*names, number).ext(distinct_on(*keys)).order_by(*keys, number.desc())


def first_same_key(batch: Batch, source: FromClause, arbiter: Arbiter) -> Select[Any, Any]:
    """Look for two rows with the same key, as the server compares."""
    rows, keys = _as_stored(batch, source, arbiter)
    number = rows.c[ROW]
    return select(func.min(number), func.max(number)).group_by(*keys).having(func.count() > 1).limit(1)


def _as_stored(batch: Batch, source: FromClause, arbiter: Arbiter) -> tuple[FromClause, list[ColumnElement[Any]]]:
    """Give the rows with all columns of the table, as far as they are known, and what makes them the same."""
    arrived = [source.c[each.column.name] for each in batch.sent]
    known = {each.column.name for each in batch.sent}
    rest = [_left_out(each, batch) for each in _columns_asked(batch, arbiter) if each.name not in known]
    rows = select(*arrived, source.c[ROW], *rest).subquery("dal_given")

    def stored(element: Any, **_: Any) -> Any:
        if isinstance(element, Column) and element.name in rows.c:
            return _comparable(element, rows.c[element.name])
        return None

    keys = [replacement_traverse(_element(key), {}, stored) for key in arbiter.keys]
    alone = [key.is_(None) for key in keys] if arbiter.nulls_distinct else []
    if arbiter.where is not None:
        alone.append(replacement_traverse(_element(arbiter.where), {}, stored).is_not(True))
    return rows, [*keys, case((or_(*alone), rows.c[ROW]))] if alone else keys


def _element(given: Any) -> Any:
    return literal_column(f"({given.text})") if isinstance(given, TextClause) else given


def _columns_asked(batch: Batch, arbiter: Arbiter) -> list[Column[Any]]:
    """Give the columns of the table that a key or predicate may speak of: all, if only its text is known."""
    if arbiter.is_plain:
        return arbiter.columns
    return list(batch.sent[0].column.table.columns)


def _left_out(missing: Column[Any], batch: Batch) -> ColumnElement[Any]:
    """Give what the table will have where the rows have nothing."""
    default: Any = missing.server_default
    value: Any = null()
    if missing in batch.inlined:
        value = batch.inlined[missing]
    elif isinstance(default, DefaultClause):
        value = literal(default.arg, types.String()) if isinstance(default.arg, str) else _element(default.arg)
    return cast(value, missing.type).label(missing.name)


def _comparable(stored: Column[Any], arrived: ColumnElement[Any]) -> ColumnElement[Any]:
    """Compare as the column does: what was sent may have another type, length or scale."""
    return cast(arrived, stored.type)
