"""A file as it comes: whatever is wrong with it, what is loaded and what is rejected is what was read."""

from __future__ import annotations

import gzip
import json
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import ForeignKey, Numeric, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dal import Database, Repository
from dal.copy import Csv, Rejecting


class Base(DeclarativeBase):
    pass


class Region(Base):
    __tablename__ = "dirt_region"
    id: Mapped[int] = mapped_column(primary_key=True)


class Sale(Base):
    __tablename__ = "dirt_sale"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    region_id: Mapped[int | None] = mapped_column(ForeignKey(Region.id))
    sold_on: Mapped[date | None]
    amount: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    remark: Mapped[str | None] = mapped_column(Text)


class Sales(Repository[Sale]):
    pass


FORM = Csv(null=("", "NA"), dates={"sold_on": ["%d.%m.%Y", "%m/%d/%Y"]})
HEADER = b"\xef\xbb\xbfid,region_id,sold_on,amount,remark\r\n"
GOOD = {
    b'1,1,2026-01-31,10.50,"plain"\r\n': (1, date(2026, 1, 31), Decimal("10.50"), "plain"),
    b'2,2,31.01.2026,NA,"two\r\nlines, one field"\n': (2, date(2026, 1, 31), None, "two\r\nlines, one field"),
    b'3,NA,01/31/2026, 7 ,""\r\n': (None, date(2026, 1, 31), Decimal("7.00"), ""),
    b'4,1,,1e2,"a ""quote"""\r\n': (1, None, Decimal(100), 'a "quote"'),
    "5,1,NA,-0.5,größer 🧁\r\n".encode(): (1, None, Decimal("-0.50"), "größer 🧁"),
}
BAD = {
    b"11,1,2026-01-31,1\r\n": ("4 fields", None),
    b"12,1,2026-01-31,1,x,y\r\n": ("6 fields", None),
    b"13,99,2026-01-31,1,x\r\n": ("foreign key", None),
    b"14,1,31.02.2026,1,x\r\n": ("format", "sold_on"),
    b"15,1,2026-01-31,much,x\r\n": ("invalid input syntax", "amount"),
    b"1,1,2026-01-31,1,again\r\n": ("duplicate key", None),
    b"NA,1,2026-01-31,1,x\r\n": ("null value", "id"),
    b"17,1,2026-01-31,99999999999,x\r\n": ("overflow", None),
    b"18,1,2026-01-31,1,\xff\xfe\r\n": ("utf-8", None),
}


@pytest.fixture
async def db(database_url):
    async with Database(database_url) as db:
        async with db.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            await connection.exec_driver_sql("INSERT INTO dirt_region VALUES (1), (2)")
        yield db


def _lines():
    """Put the bad among the good, each where it cannot be told by its place."""
    good, bad = list(GOOD), list(BAD)
    lines = [good[0], *bad[:3], good[1], *bad[3:6], good[2], good[3], *bad[6:], good[4]]
    return lines, [lines.index(each) + 1 for each in bad]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
async def test_what_is_loaded_and_what_is_rejected_is_what_was_read(db, outside, tmp_path, packed):
    lines, numbers = _lines()
    path = tmp_path / ("sales.csv.gz" if packed else "sales.csv")
    content = HEADER + b"".join(lines)
    path.write_bytes(gzip.compress(content) if packed else content)
    report = await Sales(db).copy_in(path, form=FORM, on_error=Rejecting(tmp_path / "bad.csv"))
    assert (report.rows, report.rejected) == (len(GOOD), len(BAD))
    rows = await outside.fetch("SELECT region_id, sold_on, amount, remark FROM dirt_sale ORDER BY id")
    assert [tuple(row) for row in rows] == list(GOOD.values())
    reasons = {}
    for line in (tmp_path / "bad.csv.reasons.ndjson").read_text().splitlines():
        reason = json.loads(line)
        reasons[reason["record"]] = (reason["reason"], reason["column"])
    assert sorted(reasons) == sorted(numbers)
    for number, (words, column) in zip(numbers, BAD.values(), strict=True):
        assert words in reasons[number][0]
        assert column is None or reasons[number][1] == column


async def test_what_was_rejected_can_be_mended_and_loaded(db, outside, tmp_path):
    path, bad = tmp_path / "sales.csv", tmp_path / "bad.csv"
    path.write_bytes(b"id,region_id,sold_on,amount,remark\n1,1,,1,x\n2,99,31.01.2026,1.5,\n")
    await Sales(db).copy_in(path, form=FORM, on_error=Rejecting(bad))
    bad.write_text(bad.read_text().replace("99", "2"))
    report = await Sales(db).copy_in(bad, form=FORM)
    assert report.rows == 1
    row = await outside.fetchrow("SELECT * FROM dirt_sale WHERE id = 2")
    assert tuple(row) == (2, 2, date(2026, 1, 31), Decimal("1.50"), None)
