"""UPDATE and DELETE of many rows: by primary key in one statement, or by condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnExpressionArgument, delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from dal.errors import WriteError
from dal.session import SessionSource
from dal.write.batch import batch_of
from dal.write.conflict import Arbiter
from dal.write.decimals import decimals_as_text
from dal.write.duplicates import compared_here, in_order_of_keys, without_duplicates
from dal.write.filling import Filled, filled_for_update, set_on_update
from dal.write.keeping import held_by, keep_fresh
from dal.write.offering import is_small, lent, offered
from dal.write.rows import Rows, rows_of
from dal.write.source import inline, parameters
from dal.write.statements import last_of_each_key, updating
from dal.write.target import Target


async def update_rows(source: SessionSource, target: Target, given: Iterable[Any]) -> int:
    """Update by primary key; of two rows with one key the last wins."""
    rows = rows_of(given, target)
    if not rows.count:
        return 0
    _refuse_without_key(rows, target)
    filled = filled_for_update(rows, target)
    small = is_small(filled.rows)
    async with lent(source, small=small) as session:
        batch = batch_of(filled, session.get_bind().dialect)
        arbiter = Arbiter(target.key)
        here = compared_here(batch, arbiter)
        if here:
            batch = in_order_of_keys(without_duplicates(batch, arbiter, "last"), arbiter)
        sent = batch if small else decimals_as_text(batch)
        async with offered(session, sent, small=small, numbered=not here) as offer:
            chosen = offer if here else last_of_each_key(sent, offer, arbiter)
            extra = set_on_update(target, sent.columns)
            result: Any = await session.execute(updating(target, sent, chosen, extra), parameters(sent, offer))
        await keep_fresh(session, target, batch if here else None)
        return int(result.rowcount)


async def delete_rows(source: SessionSource, target: Target, identities: Iterable[Any]) -> int:
    """Delete by primary key."""
    rows = _keys_of(list(identities), target)
    if not rows.count:
        return 0
    async with lent(source, small=True) as session:
        batch = batch_of(Filled(rows), session.get_bind().dialect)
        offer = inline(batch)
        same = [column == value for column, value in zip(batch.columns, batch.expressions(offer), strict=True)]
        return await _deleted(session, target, delete(target.mapper.class_).where(*same), parameters(batch, offer))


async def update_where(
    source: SessionSource, target: Target, values: Mapping[str, Any], where: tuple[ColumnExpressionArgument[bool], ...]
) -> int:
    """Set the same values, or expressions, on all rows that satisfy every condition."""
    _refuse_everything("update_where", where)
    columns = {target.column(name).key: value for name, value in values.items()}
    if not columns:
        return 0
    async with lent(source, small=True) as session:
        statement = update(target.mapper.class_).where(*where).values(columns)
        # Which rows the condition meets is the server's knowledge, and what it computes for them.
        result: Any = await session.execute(statement, execution_options={"synchronize_session": False})
        await keep_fresh(session, target, None)
        return int(result.rowcount)


async def delete_where(source: SessionSource, target: Target, where: tuple[ColumnExpressionArgument[bool], ...]) -> int:
    """Delete all rows that satisfy every condition."""
    _refuse_everything("delete_where", where)
    async with lent(source, small=True) as session:
        return await _deleted(session, target, delete(target.mapper.class_).where(*where), {})


async def _deleted(session: AsyncSession, target: Target, statement: Any, values: dict[str, Any]) -> int:
    # What SQLAlchemy fetches to take out of the session is for a session that holds something.
    how = "fetch" if held_by(session, target) else False
    result: Any = await session.execute(statement, values, execution_options={"synchronize_session": how})
    return int(result.rowcount)


def _refuse_everything(method: str, where: tuple[Any, ...]) -> None:
    if not where:
        raise WriteError(
            f"{method}() without a condition would reach every row: if that is meant, say {method}(..., "
            "sqlalchemy.true()). Nothing was written."
        )


def _refuse_without_key(rows: Rows, target: Target) -> None:
    lacking = [target.name_of(column) for column in target.key if column not in rows.values]
    if lacking:
        raise WriteError(f"the rows lack {', '.join(lacking)}, the key of what to update. Nothing was written.")
    if len(rows.values) == len(target.key):
        raise WriteError("the rows have only the key: give the attributes to change, too. Nothing was written.")


def _keys_of(identities: list[Any], target: Target) -> Rows:
    names = [target.name_of(column) for column in target.key]
    values: list[list[Any]] = [[] for _ in names]
    for number, identity in enumerate(identities, 1):
        if isinstance(identity, Mapping):
            parts = [identity[name] for name in names] if set(identity) == set(names) else []
        else:
            parts = list(identity) if isinstance(identity, tuple) else [identity]
        if len(parts) != len(names):
            raise WriteError(
                f"identity {number} has not the {len(names)} parts of the key: {', '.join(names)}. Nothing was written."
            )
        for column, part in zip(values, parts, strict=True):
            column.append(part)
    return Rows(len(identities), dict(zip(target.key, values, strict=True)))
