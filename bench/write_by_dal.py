"""Writes through a repository that is bound to a `Database`: each call commits on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.write_rows import Item, Rows
from dal import Repository


class Items(Repository[Item]):
    """What an application writes to have one."""


@dataclass(frozen=True, slots=True)
class ByDal:
    """The rows go in as they are."""

    items: Items

    async def insert(self, rows: Rows) -> Any:
        """`insert_many(rows)`"""
        return await self.items.insert_many(rows)

    async def insert_returning(self, rows: Rows) -> Any:
        """`insert_many(rows, returning=(Item.id,))`"""
        return await self.items.insert_many(rows, returning=(Item.id,))

    async def upsert(self, rows: Rows) -> Any:
        """`upsert_many(rows)`"""
        return await self.items.upsert_many(rows)

    async def update(self, rows: Rows) -> Any:
        """`update_many(rows)`"""
        return await self.items.update_many(rows)
