"""Every revision up, down and up again: each time to the same schema, with no fewer values in it.

A database is upgraded all the way, with rows on it, and goes back revision by revision; where that ends, at a revision
that nobody goes back from or that leaves something, another one begins below.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import URL

from dal.database import Database
from dal.errors import DALError
from dal.migrations import RevisionInfo, downgrade, upgrade
from dal.migrations.drift.catalog import Catalog
from dal.migrations.drift.checking import look
from dal.migrations.drift.comparing import differing
from dal.migrations.version_table import version_table
from dal.pool_config import PoolConfig
from dal.testing.migrations.history import Migrations
from dal.testing.migrations.values import Values, lost, values

# What a failure tells of one object.
_SHOWN = 200


async def assert_round_trips(migrations: Migrations, empty: Callable[[], AbstractContextManager[URL]]) -> None:
    """Demand of every revision that its downgrade leaves what was before it, and its upgrade makes the same again.

    And that neither has fewer rows, or fewer values that are not NULL, in what is there before and after it.

    *empty* lends an empty database, such as `pg_kit.empty_database`. Raises `AssertionError` that names every revision
    that does not, and the objects by which it differs. Takes about four times as long as upgrading does.
    """
    __tracebackhide__ = True
    left = migrations.revisions()
    found: list[str] = []
    while left:
        with empty() as url:
            async with Database(url, pool=PoolConfig(size=1, min_idle=0)) as db:
                trip = _Trip(db, migrations)
                await trip.up(left)
                left = left[: await trip.back(left)]
                found += trip.found
    if found:
        raise AssertionError("\n".join(found))


class _Trip:
    """One database on its way up and back; `_at` has the schema after each revision, and before the first."""

    def __init__(self, db: Database, migrations: Migrations) -> None:
        self._db, self._migrations = db, migrations
        self._at: list[Catalog] = []
        self.found: list[str] = []

    async def up(self, revisions: Sequence[RevisionInfo]) -> None:
        self._at.append(await self._look())
        for each in revisions:
            await self._go(each, "upgraded", upgrade, each.revision)
            seed = self._migrations.seeds.get(each.revision)
            self._at.append(await self._look())
            if seed is not None:
                await seed(self._db)

    async def back(self, revisions: Sequence[RevisionInfo]) -> int:
        """Go back, and there and back again; gives how many revisions are below the one where that ends."""
        for n, each in reversed([*enumerate(revisions)]):
            if each.revision in self._migrations.irreversible:
                return n
            await self._go(each, "downgraded", downgrade, _below_it(each))
            if await self._is_unlike(self._at[n], each, "its downgrade leaves"):
                return n  # a second upgrade would only stumble over it
            await self._go(each, "upgraded again", upgrade, each.revision)
            if await self._is_unlike(self._at[n + 1], each, "its second upgrade makes"):
                return n
            await self._go(each, "downgraded again", downgrade, _below_it(each))
        return 0

    async def _is_unlike(self, expected: Catalog, each: RevisionInfo, what: str) -> bool:
        found = await self._look()
        unlike = sorted(differing(expected, found))
        self.found += [
            f"revision {each.revision} ({each.path.name}): {what} {kind} {name} as {_shown(found, (kind, name))}, "
            f"which was {_shown(expected, (kind, name))}"
            for kind, name in unlike
        ]
        return bool(unlike)

    async def _look(self) -> Catalog:
        _, found = await look(self._db, self._migrations.ini, self._migrations.ignore)
        return found

    async def _go(self, each: RevisionInfo, done: str, do: Callable[..., Awaitable[None]], to: str) -> None:
        before = await self._values()
        try:
            await do(self._db, to, ini=self._migrations.ini)
        except (DALError, NotImplementedError) as error:
            error.add_note(
                f"revision {each.revision} ({each.path.name}) could not be {done}. If nobody goes back from it, name "
                "it in Migrations(irreversible=...)"
            )
            raise
        if each.revision not in self._migrations.losing:
            loses = lost(before, await self._values())
            self.found += [
                f"revision {each.revision} ({each.path.name}) loses {one} when it is {done}" for one in loses
            ]

    async def _values(self) -> Values:
        return await values(self._db, [*self._migrations.ignore, f"*.{version_table(self._migrations.ini)[0]}"])


def _below_it(each: RevisionInfo) -> str:
    """Say where to a revision is gone back from, on its own branch."""
    return each.down[0] if len(each.down) > 1 else f"{each.revision}@-1"


def _shown(catalog: Catalog, key: tuple[str, str]) -> str:
    entry = catalog.get(key)
    return "missing" if entry is None else " ".join(entry.definition.split())[:_SHOWN]
