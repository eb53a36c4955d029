"""What a session holds stays as fresh as the table: entities whose rows were written are read again, in one statement.

Read, not expired: in asyncio an expired attribute cannot be loaded when it is touched. And read, not set from the rows:
triggers, scales and computed columns have their say. A session that holds none of them costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstanceState
from sqlalchemy.orm.attributes import set_committed_value

from dal.write.batch import Batch, batch_of
from dal.write.filling import Filled
from dal.write.rows import Rows
from dal.write.source import inline, parameters
from dal.write.target import Target


def held_by(session: AsyncSession, target: Target) -> list[InstanceState[Any]]:
    """List what the session holds of the class."""
    if not len(session.identity_map):
        return []
    kind = target.mapper.class_
    return [inspect(entity) for entity in session.identity_map.values() if isinstance(entity, kind)]


async def keep_fresh(session: AsyncSession, target: Target, written: Batch | None) -> None:
    """Read what the session holds of the rows *written* again, by primary key; None is for all that it holds."""
    held = held_by(session, target)
    if held and written is not None:
        held = _among(session, target, held, written)
    if not held:
        return
    found = await _read_again(session, target, held)
    for state in held:
        if state.identity in found:
            _renew(session, state, found[state.identity])


def _among(
    session: AsyncSession, target: Target, held: list[InstanceState[Any]], written: Batch
) -> list[InstanceState[Any]]:
    """Compare keys as they were sent: a row may have an enum's label where the entity has its member."""
    keys = set(zip(*_lists(written, target), strict=True))
    sent = zip(*_lists(_identities(session, target, held), target), strict=True)
    return [state for state, key in zip(held, sent, strict=True) if key in keys]


def _lists(batch: Batch, target: Target) -> list[list[Any]]:
    return [sent.values for column in target.key if (sent := batch.of(column))]


def _identities(session: AsyncSession, target: Target, held: list[InstanceState[Any]]) -> Batch:
    identities: Iterable[Any] = [state.identity for state in held]
    keys = dict(zip(target.key, map(list, zip(*identities, strict=True)), strict=True))
    return batch_of(Filled(Rows(len(held), keys)), session.get_bind().dialect)


async def _read_again(
    session: AsyncSession, target: Target, held: list[InstanceState[Any]]
) -> dict[Any, dict[Column[Any], Any]]:
    batch = _identities(session, target, held)
    offer = inline(batch)
    same = [column == value for column, value in zip(batch.columns, batch.expressions(offer), strict=True)]
    columns = list(target.table.columns)
    rows = await session.execute(select(*columns).where(*same), parameters(batch, offer))
    read = [dict(zip(columns, row, strict=True)) for row in rows]
    return {tuple(row[column] for column in target.key): row for row in read}


def _renew(session: AsyncSession, state: InstanceState[Any], row: dict[Column[Any], Any]) -> None:
    entity, changed, names = state.obj(), set(), []
    for each in state.mapper.column_attrs:
        column: Any = each.columns[0]
        if each.key in state.dict and column in row and state.dict[each.key] != row[column]:
            set_committed_value(entity, each.key, row[column])
            changed.add(column)
            names.append(each.key)
    if names:
        # By it a mutable value learns whose it is, and a composite that it is out of date.
        state.manager.dispatch.refresh(state, None, names)
    moved = [
        each.key for each in state.mapper.relationships if each.key in state.dict and changed & set(each.local_columns)
    ]
    if entity is not None and moved:
        session.expire(entity, moved)
