"""Step 6: the same 20,000 rows, one statement each, in one batch, and by COPY."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import delete, func, insert, select

from dal.demo.models import Part
from dal.demo.repositories import Shop
from dal.demo.tour.place import Place
from dal.demo.tour.result import StepResult

ROWS: Final = 20_000


async def step(place: Place, result: StepResult) -> None:
    """Insert the rows three times, each in a unit of work of its own, and take them out again."""
    async with Shop(place.db) as shop:
        first = (await shop.session.scalar(select(func.max(Part.id))) or 0) + 1
    records = [_record(key) for key in range(first, first + ROWS)]
    speeds = {}
    for name, load in (("one statement each", _each), ("one batch (add)", _batch), ("COPY (copy_in)", _copy)):
        with place.console.status(f"   {ROWS:,} rows, {name}"):
            speeds[name], inserted = await _timed(place, load, records)
        result.check(f"{name}: all {ROWS:,} rows were there", ok=inserted == ROWS)
    slowest = speeds["one statement each"]
    for name, speed in speeds.items():
        result.show(name, f"{speed:,.0f} rows/s, {speed / slowest:.0f}x")
    result.check("COPY is the fastest", ok=max(speeds, key=speeds.__getitem__) == "COPY (copy_in)")


async def _timed(
    place: Place, load: Callable[[Shop, list[dict[str, Any]]], Awaitable[None]], records: list[dict[str, Any]]
) -> tuple[float, int]:
    started = time.perf_counter()
    async with Shop(place.db) as shop:
        await load(shop, records)
    seconds = time.perf_counter() - started
    async with Shop(place.db) as shop:
        ours = Part.id >= records[0]["id"]
        inserted = await shop.parts.count(ours)
        await shop.session.execute(delete(Part).where(ours))
    return len(records) / seconds, inserted


async def _each(shop: Shop, records: list[dict[str, Any]]) -> None:
    for record in records:
        await shop.session.execute(insert(Part), record)


async def _batch(shop: Shop, records: list[dict[str, Any]]) -> None:
    await shop.parts.add(*(Part(**record) for record in records))


async def _copy(shop: Shop, records: list[dict[str, Any]]) -> None:
    prices = pa.field("retail_price", pa.decimal128(15, 2))
    schema = pa.schema([pa.field("id", pa.int64()), *_TEXTS, pa.field("size", pa.int32()), prices])
    await shop.parts.copy_in(pa.Table.from_pylist(records, schema=schema))


_TEXTS: Final = [
    pa.field(name, pa.string()) for name in ("name", "manufacturer", "brand", "type", "container", "comment")
]


def _record(key: int) -> dict[str, Any]:
    return {
        "id": key,
        "name": f"part {key}",
        "manufacturer": "tour",
        "brand": "Brand#1",
        "type": "SMALL PLATED TIN",
        "size": key % 50,
        "container": "JUMBO BOX",
        "retail_price": Decimal(key % 100_000) / 100,
        "comment": "",
    }
