"""INSERT ... ON CONFLICT of many rows: which are one key's duplicates, what is updated, and how many were which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Column, ColumnElement, FromClause, Row, Select, literal
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import QueryableAttribute, aliased

from dal.session import SessionSource
from dal.write.batch import Batch, batch_of
from dal.write.conflict import Arbiter, On, arbiter_of
from dal.write.counting import count_written
from dal.write.duplicates import Duplicates, compared_here, in_order_of_keys, same_key, without_duplicates
from dal.write.filling import filled_for_insert, set_on_update
from dal.write.insert import Returning, refuse_nothing
from dal.write.keeping import keep_fresh
from dal.write.offering import is_small, lent, offered
from dal.write.rows import Rows, rows_of
from dal.write.statements import Conflict, first_same_key, last_of_each_key, upsertion
from dal.write.target import Target

# A condition, or a function that is given the rows proposed, by attribute, and gives one.
Where: TypeAlias = ColumnElement[bool] | Callable[[Any], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Upserted:
    """How many rows were inserted, and how many were there and updated; those left alone are in neither."""

    inserted: int
    updated: int


@dataclass(frozen=True, slots=True)
class Upsert:
    """What an upsert is asked to do beside its rows."""

    on: On = ()
    update: Sequence[QueryableAttribute[Any]] | None = None
    where: Where | None = None
    duplicates: Duplicates = "last"
    returning: Returning = ()


async def upsert_rows(
    source: SessionSource, target: Target, given: Iterable[Any], asked: Upsert
) -> Upserted | Sequence[Row[Any]]:
    """Insert the rows, or update those that are there."""
    rows = rows_of(given, target)
    returned = target.labelled(asked.returning)
    conflict = _conflict(target, rows, asked)
    if not rows.count:
        return [] if asked.returning else Upserted(0, 0)
    filled = filled_for_insert(rows, target)
    small = is_small(filled.rows)
    async with lent(source, small=small) as session:
        batch = batch_of(filled, session.get_bind().dialect)
        refuse_nothing(batch)
        here = compared_here(batch, conflict.arbiter)
        if here:
            batch = _arranged(batch, conflict.arbiter, asked)
        async with offered(session, batch, small=small, numbered=not here) as offer:
            chosen = offer if here else await _chosen(session, batch, offer, conflict, asked.duplicates)
            statement = upsertion(target, batch, chosen, conflict)
            written: Upserted | Sequence[Row[Any]]
            if asked.returning:
                written = (await session.execute(statement.returning(*returned))).all()
            else:
                written = Upserted(*await _count(session, statement, target, conflict, small=small))
        if conflict.values:
            by_key = here and set(conflict.arbiter.columns) == set(target.key)
            await keep_fresh(session, target, batch if by_key else None)
        return written


def _conflict(target: Target, rows: Rows, asked: Upsert) -> Conflict:
    arbiter = arbiter_of(asked.on, target)
    proposed = insert(target.table).excluded
    if asked.update is None:
        keys = {*arbiter.columns, *target.key}
        columns = [column for column in rows.values if column not in keys]
    else:
        columns = target.columns_of(asked.update)
    values: dict[Column[Any], Any] = {column: proposed[column.key] for column in columns}
    if values:
        for column, value in set_on_update(target, columns).items():
            values[column] = value if isinstance(value, ColumnElement) else literal(value, column.type)
    where = asked.where
    if callable(where):
        where = where(aliased(target.mapper, target.table.alias("excluded")))
    return Conflict(arbiter, values, where)


def _arranged(batch: Batch, arbiter: Arbiter, asked: Upsert) -> Batch:
    single = without_duplicates(batch, arbiter, asked.duplicates)
    return single if asked.returning else in_order_of_keys(single, arbiter)


async def _chosen(
    session: AsyncSession, batch: Batch, offer: FromClause, conflict: Conflict, duplicates: Duplicates
) -> FromClause | Select[Any]:
    if not conflict.arbiter.keys:
        return offer  # an exclusion constraint, with which nothing can be done but nothing
    if duplicates == "last":
        return last_of_each_key(batch, offer, conflict.arbiter)
    pair = (await session.execute(first_same_key(batch, offer, conflict.arbiter))).first()
    if pair is not None:
        raise same_key(*pair)
    return offer


async def _count(
    session: AsyncSession, statement: Insert, target: Target, conflict: Conflict, *, small: bool
) -> tuple[int, int]:
    if conflict.values:
        return await count_written(session, statement, target, small=small)
    result: Any = await session.execute(statement)
    return result.rowcount, 0
