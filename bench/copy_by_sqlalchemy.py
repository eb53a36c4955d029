"""Loads as SQLAlchemy's documentation shows them, in an `AsyncSession`. Refuses: measuring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bench.copy_rows import TABLE, Reading

Rows: TypeAlias = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class BySession:
    """Each load is a session of its own; making entities of the mappings is a part of it."""

    sessions: Callable[[], AsyncSession]

    async def insert(self, rows: Rows) -> None:
        """SQLAlchemy: `session.execute(insert(table), dicts)`, `commit()`"""
        async with self.sessions() as session, session.begin():
            await session.execute(insert(TABLE), rows)

    async def add_all(self, rows: Rows) -> None:
        """SQLAlchemy: `session.add_all(Entity(**each) for each of dicts)`, `commit()`"""
        async with self.sessions() as session, session.begin():
            session.add_all([Reading(**row) for row in rows])
