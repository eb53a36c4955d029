"""INSERT ... ON CONFLICT of many rows: which are one key's duplicates, what is updated, and how many were which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Column, ColumnElement, FromClause, Row, Select, literal
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import QueryableAttribute, aliased

from dal.session import SessionSource
from dal.write.batch import Batch, batch_of
from dal.write.conflict import Arbiter, On, arbiter_of
from dal.write.counting import count_written
from dal.write.decimals import decimals_as_text
from dal.write.duplicates import Duplicates, compared_here, in_order_of_keys, same_key, without_duplicates
from dal.write.filling import filled_for_insert, set_on_update
from dal.write.insert import Returning, refuse_nothing
from dal.write.keeping import keep_fresh
from dal.write.kept import is_keepable, kept_count, kept_upsertion
from dal.write.offering import is_small, lent, offered
from dal.write.rows import rows_of
from dal.write.source import arrays, parameters
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
    target.columns_of(asked.returning)
    conflict = _conflict(target, tuple(rows.values), asked)
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
        if small and here and is_keepable(batch) and _is_keepable(target, asked):
            written = await _at_once(session, target, batch, conflict, asked)
        else:
            written = await _by_offer(session, target, batch, conflict, asked)
        if conflict.values:
            by_key = here and set(conflict.arbiter.columns) == set(target.key)
            await keep_fresh(session, target, batch if by_key else None)
        return written


async def _at_once(
    session: AsyncSession, target: Target, batch: Batch, conflict: Conflict, asked: Upsert
) -> Upserted | Sequence[Row[Any]]:
    """Run a statement that was kept."""
    counts = not asked.returning and bool(conflict.values)
    if counts:
        server = session.get_bind().dialect.server_version_info or ()
        statement = kept_count(target, batch.shape, conflict, server)
    else:
        statement = kept_upsertion(target, batch.shape, conflict, tuple(asked.returning))
    result: Any = await session.execute(statement, arrays(batch))
    if counts:
        inserted, written = result.one()
        return Upserted(inserted, written - inserted)
    rows: Sequence[Row[Any]] = result.all() if asked.returning else []
    return rows if asked.returning else Upserted(result.rowcount, 0)


async def _by_offer(
    session: AsyncSession, target: Target, batch: Batch, conflict: Conflict, asked: Upsert
) -> Upserted | Sequence[Row[Any]]:
    """Build a statement for these rows, and run it."""
    small, here = is_small(batch), compared_here(batch, conflict.arbiter)
    batch = batch if small else decimals_as_text(batch)
    async with offered(session, batch, small=small, numbered=not here) as offer:
        chosen = offer if here else await _chosen(session, batch, offer, conflict, asked.duplicates)
        statement, values = upsertion(target, batch, chosen, conflict), parameters(batch, offer)
        if asked.returning:
            return (await session.execute(statement.returning(*target.labelled(asked.returning)), values)).all()
        if conflict.values:
            return Upserted(*await count_written(session, statement, target, values, small=small))
        result: Any = await session.execute(statement, values)
        return Upserted(result.rowcount, 0)


def _is_keepable(target: Target, asked: Upsert) -> bool:
    return asked.where is None and all(column.onupdate is None for column in target.table.columns)


def _conflict(target: Target, given: tuple[Column[Any], ...], asked: Upsert) -> Conflict:
    if not _is_keepable(target, asked):
        return _resolved(target, given, asked)
    on = asked.on if isinstance(asked.on, str) else tuple(asked.on)
    return _kept_conflict(target, given, on, None if asked.update is None else tuple(asked.update))


@lru_cache(500)
def _kept_conflict(target: Target, given: tuple[Column[Any], ...], on: On, update: tuple[Any, ...] | None) -> Conflict:
    return _resolved(target, given, Upsert(on, update))


def _resolved(target: Target, given: tuple[Column[Any], ...], asked: Upsert) -> Conflict:
    arbiter = arbiter_of(asked.on, target)
    proposed = insert(target.table).excluded
    if asked.update is None:
        keys = {*arbiter.columns, *target.key}
        columns = [column for column in given if column not in keys]
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
    pair = (await session.execute(first_same_key(batch, offer, conflict.arbiter), parameters(batch, offer))).first()
    if pair is not None:
        raise same_key(*pair)
    return offer
