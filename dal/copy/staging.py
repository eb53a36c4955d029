"""The temporary tables of a load, and what is done with them: records wait there until they are brought into the table.

Refuses: deciding which records go this way.
"""

# ruff: noqa: S608 # of names that are quoted, and expressions of the catalog

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any, Final, NamedTuple

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.conflict import Settlement
from dal.copy.plan import CopyPlan
from dal.copy.publishing import NOT_A_ROWS, REASONS, RECORD, ROW, Publication, halving
from dal.copy.records import Broken
from dal.copy.suspects import CATALOG, Constraint, constraints_of, quoted, suspects
from dal.errors import CopyError, DatabaseError

_numbers: Final = count(1)

# The types of a table's columns, without lengths: to assign a value checks these, and to cast to them would cut it.
_TYPES: Final = """
SELECT attname::text AS name, format_type(atttypid, -1) AS type FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
"""


# Those that may wait for the end of the transaction before they refuse a row, and those that do unless told.
_DEFERRABLE: Final = """
SELECT format('%I.%I', nspname, conname) AS name, condeferred FROM pg_constraint
JOIN pg_namespace n ON n.oid = connamespace WHERE conrelid = $1::text::regclass AND condeferrable
"""

# What may make of a row something else, or nothing, when it is inserted: rules, and triggers, also of a partition.
_HABITS: Final = """
SELECT EXISTS (SELECT FROM pg_rewrite WHERE ev_class = $1::text::regclass AND ev_type = '3') AS has_rules,
    EXISTS (SELECT FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (
        SELECT relid FROM pg_partition_tree($1::text::regclass) UNION ALL SELECT $1::text::regclass
    )) AS has_triggers
"""
# Unique indexes of some columns for which NULLs are the same; there are none before version 15.
_SAME_NULLS: Final = """
SELECT 1 FROM pg_index i WHERE indrelid = $1::text::regclass AND to_jsonb(i) ->> 'indnullsnotdistinct' = 'true'
    AND $2::text[] = ARRAY(
        SELECT attname::text COLLATE "C" FROM pg_attribute
        WHERE attrelid = indrelid AND attnum = ANY (indkey) ORDER BY 1
    )
"""
# What EXPLAIN is told, to run a statement and count, and to measure nothing.
_COUNTING: Final = "ANALYZE, TIMING OFF, COSTS OFF, BUFFERS OFF, SUMMARY OFF, FORMAT JSON"


class Published(NamedTuple):
    """How many rows were inserted, how many were written, inserted and updated, and which records were refused."""

    inserted: int
    written: int
    broken: list[Broken]


class Staging:
    """The staging tables of one load into one table; they are gone with the savepoint that fails, or by `drop`.

    `typed` has the types of the table and none of its constraints, `texts` has texts; both have the records' numbers.
    """

    def __init__(self, session: AsyncSession, plan: CopyPlan, shared: str | None = None) -> None:
        self.session, self.plan = session, plan
        number = next(_numbers)
        self.typed, self.texts, self.suspect, self.rejects, self.function = (
            f"dal_{kind}_{number}" for kind in ("typed", "texts", "suspect", "rejects", "publish")
        )
        self.typed = shared or self.typed
        self.target = spelt_table(plan.table)
        self.columns = {slot.column.name: quoted(slot.column.name) for slot in plan.filled}
        self._made: list[str] = []
        self._types: dict[str, str] = {}
        self._constraints: list[Constraint] = []
        self._has_triggers = False

    async def ask(self, sql: str, *values: Any) -> Sequence[Any]:
        """Run a statement; gives its rows, if it has any."""
        connection = await self.session.connection()
        result = await connection.exec_driver_sql(sql, values or None)
        return result.mappings().all() if result.returns_rows else ()

    async def look(self) -> None:
        """Look at how the table takes what is inserted; raises `CopyError` if COPY would do something else."""
        (habits,) = await self.ask(_HABITS, self.target)
        if habits["has_rules"]:
            raise CopyError(
                f"{self.target} has rules for INSERT, which COPY passes by: load into the table that they write to, or "
                "with on_error='abort' and without on_conflict= and workers=."
            )
        self._has_triggers = habits["has_triggers"]

    @asynccontextmanager
    async def undeferred(self) -> AsyncGenerator[None]:
        """Have the constraints of the table refuse rows at once in this block; after it they are as declared.

        What the transaction has told them cannot be asked.
        """
        found = await self.ask(_DEFERRABLE, self.target)
        await self._set(found, "IMMEDIATE")
        yield
        await self._set([row for row in found if row["condeferred"]], "DEFERRED")

    async def _set(self, constraints: Sequence[Any], when: str) -> None:
        if constraints:
            await self.ask(f"SET CONSTRAINTS {', '.join(row['name'] for row in constraints)} {when}")

    async def has_distinct_nulls(self, key: Iterable[str]) -> bool:
        """Tell whether rows without a value in the *key* are never the same; so it is but for NULLS NOT DISTINCT."""
        return not (await self.ask(_SAME_NULLS, self.target, sorted(key)))

    async def make_typed(self, *, shared: bool = False) -> None:
        """Create the table for records that fit; a *shared* one is there for other connections, too, and stays."""
        names = ", ".join(self.columns.values())
        definition = f"AS SELECT 0::bigint AS {RECORD}, {names} FROM {self.target} WITH NO DATA"
        if shared:
            await self.ask(f"CREATE UNLOGGED TABLE {self.typed} {definition}")
        else:
            await self._make(self.typed, definition)

    async def make_texts(self) -> None:
        """Create the table for records as texts, and for those that the server refuses."""
        names = ", ".join(f"{name} text" for name in self.columns.values())
        await self._make(self.texts, f"({RECORD} bigint, {names}, {ROW} bigint GENERATED BY DEFAULT AS IDENTITY)")

    async def know(self) -> None:
        """Read of the catalog what the table demands."""
        self._types = {row["name"]: row["type"] for row in await self.ask(_TYPES, self.target)}
        self._constraints = constraints_of(await self.ask(CATALOG, self.target))

    async def drop_texts(self) -> None:
        """Drop the table of texts."""
        await self.ask(f"DROP TABLE {self.texts}")
        self._made.remove(self.texts)

    def forget(self) -> None:
        """Know of no table any more: a savepoint has taken all of them back."""
        self._made.clear()

    async def drop(self) -> None:
        """Drop what was made."""
        for name in self._made:
            await self.ask(f"DROP TABLE {name}")
        self._made.clear()

    async def _make(self, name: str, definition: str) -> None:
        await self.ask(f"CREATE TEMPORARY TABLE {name} {definition}")
        self._made.append(name)

    async def publish_texts(self, target: str) -> Published:
        """Bring all texts into *target*, or say why not; the server reads them."""
        casts = [f"CAST(s.{name} AS {self._types[each]})" for each, name in self.columns.items()]
        checks = list(zip(self.columns, casts, strict=True))
        columns = list(self.columns.values())
        if target == self.typed:
            columns, casts = [*columns, RECORD], [*casts, f"s.{RECORD}"]
        return await self._one_by_one(Publication(self.texts, target, columns, casts, checks=checks))

    async def publish_typed(self, settlement: Settlement, *, is_ordered: bool) -> Published:
        """Bring all that fits into the table, those first that no known constraint speaks against."""
        await self._set_suspects_aside(settlement)
        whole = replace(self._of_typed(self.typed, settlement), is_ordered=is_ordered)
        done = await self._at_once(whole)
        rest = await self._one_by_one(self._of_typed(self.suspect, settlement))
        return Published(done.inserted + rest.inserted, done.written + rest.written, rest.broken)

    async def publish_all(self, settlement: Settlement, *, is_ordered: bool) -> Published:
        """Bring all that fits into the table, or raise the server's error."""
        return await self._written(replace(self._of_typed(self.typed, settlement), is_ordered=is_ordered))

    def _of_typed(self, staging: str, settlement: Settlement) -> Publication:
        columns = list(self.columns.values())
        values = [f"s.{name}" for name in columns]
        return Publication(staging, self.target, columns, values, settlement.clause, settlement.fresh)

    async def _set_suspects_aside(self, settlement: Settlement) -> None:
        found = suspects(self._constraints, self.typed, self.target, self.columns, settlement.key)
        numbered = f"AS SELECT row_number() OVER (ORDER BY s.{RECORD}) AS {ROW}, s.* FROM {self.typed} s"
        try:
            async with self.session.begin_nested():
                where = f"WHERE s.{RECORD} IN ({found or 'NULL'})"
                await self.ask(f"CREATE TEMPORARY TABLE {self.suspect} {numbered} {where}")
        except DatabaseError as error:
            if not is_of_a_row(error):
                raise
            # A CHECK that fails of a value, rather than to be false.
            await self.ask(f"CREATE TEMPORARY TABLE {self.suspect} {numbered}")
        self._made.append(self.suspect)
        await self.ask(f"DELETE FROM {self.typed} s USING {self.suspect} x WHERE s.{RECORD} = x.{RECORD}")

    async def _at_once(self, whole: Publication) -> Published:
        """Insert what nobody suspects; if the server refuses it, all are suspects."""
        try:
            async with self.session.begin_nested():
                return await self._written(whole)
        except DatabaseError as error:
            if not is_of_a_row(error):
                raise
        names = ", ".join((RECORD, *self.columns.values()))
        last = f"(SELECT coalesce(max({ROW}), 0) FROM {self.suspect})"
        await self.ask(
            f"INSERT INTO {self.suspect} ({ROW}, {names}) "
            f"SELECT {last} + row_number() OVER (ORDER BY {RECORD}), {names} FROM {self.typed}"
        )
        return Published(0, 0, [])

    async def _written(self, publication: Publication) -> Published:
        if publication.fresh is not None and self._has_triggers:
            (row,) = await self.ask(publication.counted("true"))
            return Published(row["inserted"], row["written"], [])
        if publication.fresh is not None:
            return await self._counted(publication)
        connection = await self.session.connection()
        rows = (await connection.exec_driver_sql(publication.insert("true"))).rowcount
        return Published(rows, rows, [])

    async def _counted(self, publication: Publication) -> Published:
        """Let the server's own counters tell new rows from updated ones: a mark returned of each costs a tenth more.

        They count what was proposed, also what a trigger has left out.
        """
        (row,) = await self.ask(f"EXPLAIN ({_COUNTING}) {publication.insert('true')}")
        ((found,),) = (json.loads(each) if isinstance(each, str) else each for each in row.values())
        plan = found["Plan"]
        inserted, met = int(plan["Tuples Inserted"]), int(plan["Conflicting Tuples"])
        return Published(inserted, inserted + met - int(plan.get("Rows Removed by Conflict Filter", 0)), [])

    async def _one_by_one(self, publication: Publication) -> Published:
        (row,) = await self.ask(f"SELECT count(*) AS rows, max({ROW}) AS last FROM {publication.staging}")
        if not row["rows"]:
            return Published(0, 0, [])
        await self._make(self.rejects, f"({REASONS})")
        await self.ask(f"CREATE INDEX ON {publication.staging} ({ROW})")
        await self.ask(halving(self.function, publication, self.rejects))
        inserted, written = await self._halved(row["last"])
        while (again := await self._orphans(publication.staging)) and (more := await self._halved(again))[1]:
            inserted, written = inserted + more[0], written + more[1]
        broken = await self._broken(publication.staging)
        await self.ask(f"DROP FUNCTION pg_temp.{self.function}")
        await self.ask(f"DROP TABLE {self.rejects}")
        self._made.remove(self.rejects)
        return Published(inserted, written, broken)

    async def _halved(self, last: int) -> tuple[int, int]:
        """Bring the rows up to *last* in; gives how many were inserted, and written."""
        (done,) = await self.ask(f"SELECT pg_temp.{self.function}(1, {last}) AS rows")
        return done["rows"][0], done["rows"][1]

    async def _orphans(self, staging: str) -> int:
        """Take back what lacked a parent that may have come after it, if the table refers to itself; gives how many."""
        if not any(each.is_own for each in self._constraints):
            return 0
        orphans = (
            f"SELECT {RECORD}, row_number() OVER (ORDER BY {RECORD}) AS n FROM {self.rejects} WHERE state = '23503'"
        )
        await self.ask(f"UPDATE {staging} SET {ROW} = 0")
        await self.ask(f"UPDATE {staging} s SET {ROW} = x.n FROM ({orphans}) x WHERE s.{RECORD} = x.{RECORD}")
        (found,) = await self.ask(
            f"WITH o AS (DELETE FROM {self.rejects} WHERE state = '23503' RETURNING 1) SELECT count(*) AS n FROM o"
        )
        return int(found["n"])

    async def _broken(self, staging: str) -> list[Broken]:
        fields = ", ".join(f"s.{name}::text" for name in self.columns.values())
        rows = await self.ask(
            f'SELECT {RECORD} AS number, r.said AS reason, r."column", r.state AS sqlstate, r."constraint", '
            f"ARRAY[{fields}] AS fields FROM {self.rejects} r JOIN {staging} s USING ({RECORD}) ORDER BY {RECORD}"
        )
        names = [slot.source for slot in self.plan.slots]
        return [Broken(**{**row, "fields": dict(zip(names, row["fields"], strict=False))}) for row in rows]


def is_of_a_row(error: DatabaseError) -> bool:
    """Tell whether the server refused a row, and not the load."""
    return error.sqlstate is not None and error.sqlstate[:2] not in NOT_A_ROWS


def spelt_table(table: Table) -> str:
    """Give the name of a table as SQL has it."""
    return postgresql.dialect().identifier_preparer.format_table(table)  # type: ignore[no-untyped-call] # SQLAlchemy's
