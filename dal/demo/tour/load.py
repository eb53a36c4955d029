"""Step 2: all eight tables by COPY in one unit of work, compared with what the files say."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text
from sqlalchemy import func, select

from dal import Repository
from dal.copy import Progress as CopyProgress
from dal.demo.data import TABLES, ShopTable
from dal.demo.models import Order
from dal.demo.repositories import Shop
from dal.demo.tour.place import Place
from dal.demo.tour.result import StepResult

# The rows bring their own keys; the server must number on from the largest. ANALYZE, as after any large load.
_AFTERWARDS: Final = """
    SELECT setval(pg_get_serial_sequence('customer', 'id'), max(id)) FROM customer;
    SELECT setval(pg_get_serial_sequence('orders', 'id'), max(id)) FROM orders;
    SELECT setval(pg_get_serial_sequence('part', 'id'), max(id)) FROM part;
    ANALYZE
"""


async def step(place: Place, result: StepResult) -> None:
    """Load everything or nothing; then count, and add up what the orders cost."""
    started = time.perf_counter()
    async with Shop(place.db) as shop:
        with _bars(place) as bars:
            rows = sum([await _load(_repository(shop, table), table, place.files, bars) for table in TABLES])
    seconds = time.perf_counter() - started
    await place.db.execute_script(_AFTERWARDS)
    result.show("loaded", f"{rows:,} rows in {seconds:.1f} s with keys and indexes, {rows / seconds:,.0f} rows/s")
    await _compare(place, result)


async def _load(repository: Repository[Any], table: ShopTable, files: Path, bars: Progress) -> int:
    file = files / table.file
    total = pq.ParquetFile(file).metadata.num_rows
    bar = bars.add_task(str(repository.model.__tablename__), total=total, per_s=None)

    def show(progress: CopyProgress) -> None:
        # All sent is not yet all done: the server goes on to check the foreign keys.
        bars.update(bar, completed=min(progress.rows, total - 1))

    report = await repository.copy_in(file, rename=table.rename, on_progress=show)
    bars.update(bar, completed=total, per_s=report.rows_per_s)
    return report.rows


async def _compare(place: Place, result: StepResult) -> None:
    shop = Shop(place.db)
    async with shop:
        for table in TABLES:
            expected = pq.ParquetFile(place.files / table.file).metadata.num_rows
            counted = await _repository(shop, table).count()
            name = _repository(shop, table).model.__tablename__
            result.check(f"{name}: {counted:,} rows, as in {table.file}", ok=counted == expected)
        total = await shop.session.scalar(select(func.sum(Order.total_price)))
    prices = pq.read_table(place.files / "orders.parquet", columns=["o_totalprice"])["o_totalprice"]
    expected_total: Decimal = pc.call_function("sum", [prices]).as_py()
    result.check(f"sum(total_price) is {total:,}, as in orders.parquet", ok=total == expected_total)


def _repository(shop: Shop, table: ShopTable) -> Repository[Any]:
    repository: Repository[Any] = getattr(shop, table.repository)
    return repository


class _Speed(ProgressColumn):
    """Rows per second: of late while it loads, of the whole load at the end."""

    def render(self, task: Task) -> Text:
        """Give the speed, or nothing before there is one."""
        speed = task.fields["per_s"] or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "", justify="right")


def _bars(place: Place) -> Progress:
    return Progress(
        TextColumn("   {task.description:<12}"),
        BarColumn(),
        TextColumn("{task.completed:>9,.0f} of {task.total:,.0f}"),
        _Speed(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        console=place.console,
        disable=not place.console.is_terminal,
    )
