"""Columns that an entity lacks, deferred or expired, are read for all that came with it.

By `do_orm_execute` alone. Refuses: `session.refresh`, which is asked for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.engine import IteratorResult, Result
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.orm import InstanceState, Mapper, ORMExecuteState, Session, load_only
from sqlalchemy.util.concurrency import in_greenlet

from dal.lazy_loading import INFO
from dal.loading.keys import KEYS_AT_ONCE, in_keys
from dal.loading.siblings import siblings
from dal.loading.turns import turn
from dal.loading.ways import lacked_columns
from dal.session import TellingSession


@event.listens_for(TellingSession, "do_orm_execute")
def _on_execute(execution: ORMExecuteState) -> Result[Any] | None:
    if not execution.is_column_load or execution.session.info.get(INFO, "off") == "off" or not in_greenlet():
        return None
    state, names = lacked_columns(execution)
    if state is None or state.key is None or not names:
        return None
    with turn(execution.session):
        return _load(execution.session, state, names) or execution.invoke_statement()


def _load(session: Session, state: InstanceState[Any], names: frozenset[str]) -> Result[Any] | None:
    mapper = state.mapper
    columns = names & {prop.key for prop in mapper.column_attrs}
    group = siblings(session, state, lambda other: other.mapper is mapper and bool(columns & other.unloaded))
    if len(group) == 1:
        return None
    held = [each.obj() for each in group]  # until they are loaded
    load_columns(session, mapper, group, columns)
    del held
    if columns & state.unloaded:
        return None  # its row is gone, which SQLAlchemy will find
    return IteratorResult(SimpleResultMetaData(["entity"]), iter([(state.obj(),)]))


def load_columns(
    session: Session, mapper: Mapper[Any], states: Sequence[InstanceState[Any]], names: frozenset[str]
) -> None:
    """Read columns of entities of one mapped class, of those that lack them."""
    attributes = [mapper.attrs[name].class_attribute for name in names]
    for start in range(0, len(states), KEYS_AT_ONCE):
        identities = [state.key[1] for state in states[start : start + KEYS_AT_ONCE] if state.key is not None]
        criterion, parameters = in_keys(mapper.primary_key, identities)
        statement = select(mapper.class_).where(criterion).options(load_only(*attributes))
        session.execute(statement, parameters, execution_options={"autoflush": False}).unique().all()
