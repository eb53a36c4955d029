"""The order of the tour, and what the terminal shows of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeAlias

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from sqlalchemy import text

from dal import Database, DatabaseConfig
from dal.demo.data import generate
from dal.demo.tour import bottleneck, exhaustion, insert, load, n_plus_one, start, transaction
from dal.demo.tour.place import Place, own_schema
from dal.demo.tour.result import StepResult, TourResult
from dal.testing import server_url
from dal.testing.wheel import cache_dir

Step: TypeAlias = Callable[[Place, StepResult], Awaitable[None]]

STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("Schema by Alembic", start.step),
    ("Load by COPY", load.step),
    ("Connections", bottleneck.step),
    ("N+1", n_plus_one.step),
    ("Unit of work", transaction.step),
    ("20,000 rows", insert.step),
    ("Pool exhaustion", exhaustion.step),
)


async def take_tour(*, scale: float, url: str | None = None, data: Path | None = None) -> TourResult:
    """Take every step, show it as it happens, and a table of all at the end."""
    console = Console(highlight=False)
    result = TourResult(scale)
    with console.status(f"TPC-H at scale {scale:g}: making the files"):
        files = generate(scale, data or cache_dir() / "tpch")
    with console.status("starting PostgreSQL") as status, server_url("demo", url) as server:
        async with own_schema(server) as config:
            status.stop()
            await _take_steps(config, files, console, result)
    console.print(_summary(result))
    return result


async def _take_steps(config: DatabaseConfig, files: Path, console: Console, result: TourResult) -> None:
    async with Database(config) as db:
        result.server = await _server_version(db)
        console.print(f"[bold]dal[/] on {escape(result.server)}, TPC-H at scale {result.scale:g}\n")
        for number, (title, step) in enumerate(STEPS, 1):
            result.steps.append(StepResult(title))
            await _take_step(number, step, Place(db, files, console), result.steps[-1])


async def _take_step(number: int, step: Step, place: Place, result: StepResult) -> None:
    place.console.print(f"[bold cyan]{number}. {result.title}[/]")
    started = time.perf_counter()
    await step(place, result)
    result.seconds = time.perf_counter() - started
    for name, figure in result.figures.items():
        place.console.print(_indented(f"{name}: {escape(figure)}"))
    for check in result.checks:
        place.console.print(_indented(f"{_mark(ok=check.ok)} {escape(check.name)}"))
    place.console.print()


async def _server_version(db: Database) -> str:
    async with db.reading() as session:
        version = await session.scalar(text("SHOW server_version"))
    return f"PostgreSQL {version}"


def _summary(result: TourResult) -> Table:
    table = Table(title="The tour", title_justify="left", show_lines=True)
    for column in ("", "step", "what was seen"):
        table.add_column(column)
    table.add_column("s", justify="right")
    for step in result.steps:
        seen = "\n".join(f"{name}: {escape(figure)}" for name, figure in step.figures.items())
        table.add_row(_mark(ok=step.ok), step.title, seen, f"{step.seconds:.1f}")
    failed = sum(not check.ok for step in result.steps for check in step.checks)
    passed = sum(check.ok for step in result.steps for check in step.checks)
    table.caption = f"{passed} checks passed, {failed} failed; {result.seconds:.0f} s"
    return table


def _indented(markup: str) -> Padding:
    return Padding(markup, (0, 0, 0, 3), expand=False)


def _mark(*, ok: bool) -> str:
    return "[green]✓[/]" if ok else "[red]✗[/]"
