"""The table that writes are measured on: its rows, how it stands before each call, and what it must hold after.

Refuses: writing what is measured.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final, TypeAlias

from sqlalchemy import BigInteger, Identity, Integer, Numeric
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import CreateTable

from dal.orm import Base

Row: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = Sequence[Row]
# Writes rows and commits them; gives what the call gives, if anything.
Write: TypeAlias = Callable[[Rows], Awaitable[Any]]

COLUMNS: Final = ("id", "name", "quantity", "price", "changed")
# What a call changes of a row that is there; the rest of it stays.
CHANGED: Final = ("quantity", "price")


class Item(Base):
    """A row of about the width that services write, by a key that the server gives where the row has none."""

    __tablename__ = "bench_write"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str]
    quantity: Mapped[int] = mapped_column(Integer)
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    changed: Mapped[datetime]


TABLE: Final = Item.__tablename__
_BEFORE: Final = f"{TABLE}_before"
_AFTER: Final = f"{TABLE}_after"


@dataclass(frozen=True, slots=True)
class Work:
    """*rows* for a table that holds *before*, *at_once* of them in a call; *after* is what it must hold then."""

    name: str
    before: Rows
    rows: Rows
    after: Rows
    at_once: int

    @property
    def calls(self) -> Iterator[Rows]:
        for start in range(0, len(self.rows), self.at_once):
            yield self.rows[start : start + self.at_once]


def insert_of(rows: int, *, calls: int = 1, keys: bool = True) -> Work:
    """Make *rows* new rows for each of *calls*; without *keys*, the server gives those."""
    columns = COLUMNS if keys else COLUMNS[1:]
    items = [{column: item[column] for column in columns} for item in _items(rows * calls)]
    return Work("insert", [], items, items, rows)


def upsert_of(rows: int, *, calls: int = 1) -> Work:
    """Make *rows* rows for each of *calls*, of which every second one is there already, with other values."""
    items = _items(rows * calls)
    before = [{**item, "name": f"before {item['name']}", "quantity": 0} for item in items[1::2]]
    return Work("upsert", before, items, items, rows)


def update_of(rows: int, there: int) -> Work:
    """Change two columns of *rows* rows, which lie apart among those *there*."""
    items = _items(there)
    step = there // rows
    changes = [
        {"id": item["id"], "quantity": item["quantity"] + 1, "price": item["price"] + 1}
        for item in items[: rows * step : step]
    ]
    changed = {change["id"]: change for change in changes}
    return Work("update", items, changes, [{**item, **changed.get(item["id"], {})} for item in items], rows)


def _items(count: int) -> list[dict[str, Any]]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        {
            "id": key,
            "name": f"item number {key}",
            "quantity": key * 7919 % 1000,
            "price": Decimal(key * 104729 % 1_000_000) / 100,
            "changed": start + timedelta(seconds=key * 61, microseconds=key),
        }
        for key in range(1, count + 1)
    ]


@dataclass(frozen=True, slots=True)
class Table:
    """The table in the server, and beside it those that it is filled from and compared with."""

    connection: Any

    async def create(self) -> None:
        create = CreateTable(Item.__table__).compile(dialect=postgresql.dialect())  # type: ignore[arg-type, no-untyped-call] # SQLAlchemy's
        await self.connection.execute(f"DROP TABLE IF EXISTS {TABLE}, {_BEFORE}, {_AFTER}; {create}")
        for name in (_BEFORE, _AFTER):
            await self.connection.execute(f"CREATE TABLE {name} AS TABLE {TABLE} WITH NO DATA")

    async def drop(self) -> None:
        await self.connection.execute(f"DROP TABLE {TABLE}, {_BEFORE}, {_AFTER}")

    async def keep(self, work: Work) -> None:
        """Keep in the server what the table holds before *work*, and what it must hold after."""
        for name, rows in ((_BEFORE, work.before), (_AFTER, work.after)):
            await self.connection.execute(f"TRUNCATE {name}")
            if rows:
                columns = [*rows[0]]
                records = map(itemgetter(*columns), rows)
                await self.connection.copy_records_to_table(name, records=records, columns=columns)
            await self.connection.execute(f"VACUUM ANALYZE {name}")

    async def reset(self) -> None:
        """Fill it as it is before the work: its keys from 1, nothing dead in it, nothing left to be written out."""
        await self.connection.execute(f"TRUNCATE {TABLE} RESTART IDENTITY; INSERT INTO {TABLE} TABLE {_BEFORE}")
        await self.connection.execute(f"VACUUM ANALYZE {TABLE}")
        await self.connection.execute("CHECKPOINT")

    async def check(self, contender: str, work: Work, answers: Sequence[Any]) -> None:
        """Exit with a message unless it holds exactly what it must, and the *answers* of the calls are right."""
        wrong = await self.connection.fetchval(
            f"SELECT count(*) FROM {TABLE} found FULL JOIN {_AFTER} due USING (name) WHERE"
            " (found.quantity, found.price, found.changed) IS DISTINCT FROM (due.quantity, due.price, due.changed)"
            " OR found.id <> due.id"  # which has none where the server gives the keys
        )
        if wrong:
            raise SystemExit(f"{contender}: {wrong} rows are not what they must be after the {work.name}")
        if "id" not in work.rows[0]:
            await self._check_keys(contender, work, [key for answer in answers for (key,) in answer])
        else:
            _check_counts(contender, work, [answer for answer in answers if answer is not None])

    async def _check_keys(self, contender: str, work: Work, keys: Sequence[int]) -> None:
        found = dict(await self.connection.fetch(f"SELECT name, id FROM {TABLE}"))
        if keys != [found[row["name"]] for row in work.rows]:
            raise SystemExit(f"{contender}: the {len(keys)} keys given are not those of the rows in their order")


def _check_counts(contender: str, work: Work, counts: Sequence[Any]) -> None:
    """Compare the numbers that dal's calls give: of the rows, or of those inserted and those updated."""
    inserted = len(work.after) - len(work.before)
    pairs = [(each.inserted, each.updated) for each in counts if not isinstance(each, int)]
    given = tuple(map(sum, zip(*pairs, strict=True))) if pairs else (sum(counts),)
    due = (inserted, len(work.rows) - inserted) if pairs else (len(work.rows),)
    if counts and given != due:
        raise SystemExit(f"{contender}: the calls of the {work.name} gave {given}, not {due}")
