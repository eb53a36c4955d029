"""The one call that loads."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Unpack

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.asked import Asked, CopyOptions
from dal.copy.parts import copy_in_parts
from dal.copy.rejects import refuse_to_overwrite
from dal.copy.report import CopyReport
from dal.copy.source import Source, files_of
from dal.copy.whole import copy_in_whole
from dal.copy.workers import copy_in_by_workers
from dal.errors import CopyError
from dal.session import SessionSource
from dal.telemetry import StatementLog


async def copy_in(
    target: AsyncSession | SessionSource, table: Table, source: Source, **options: Unpack[CopyOptions]
) -> CopyReport:
    """Load *source* into *table* by COPY, in the transaction of a session or a unit of work, or in one of a `Database`.

    Columns are matched by name, after *rename* (theirs to the table's); the fields of plain tuples are the table's
    columns in their order. A file is Parquet, CSV, TSV or NDJSON by its name, which may be a pattern for several, and
    may be packed by gzip or zstd; "-" is the standard input; *form* says how a text file is written. A list of `Path`
    is one source.

    All of it is loaded or nothing, and nothing is visible to others before; a load that fails leaves its unit of work
    as it was. `on_error="reject"` loads what can be loaded. Memory stays flat: a few chunks of 8,192 records, and
    65,536 records where some may be rejected.

    With *commit_every* so many records, or with *resume*, each part is a transaction, and what is committed stays;
    *resume* is the name under which a load that was ended, by whatever, goes on with the first record that is not
    settled: none is lost and none is loaded twice. Duplicates are settled within a part then.

    *workers* are connections that load at once, through a table that all of them see, and publish in one transaction;
    or each part through a table of its own, published in order. Up to 65,536 records are in memory for each then.

    With *rebuild* the table's indexes are dropped first and made again at the end, but unique ones, and its foreign
    keys too unless records may be rejected: all in the transaction, so nobody reads the table meanwhile. With *analyze*
    the planner knows the new rows at once, and not when autovacuum comes by.

    Raises `CopyError` for records that do not fit, by number and column, and the errors of the server.
    """
    asked = Asked(**options)
    refuse_to_overwrite(asked.rejecting, files_of(source))
    with StatementLog() as log:
        report = await _loaded(target, table, source, asked)
    return replace(report, statements=len(log), peak_bytes=_peak_bytes())


async def _loaded(target: AsyncSession | SessionSource, table: Table, source: Source, asked: Asked) -> CopyReport:
    if isinstance(target, AsyncSession):
        _refuse_parts(asked)
        return await copy_in_whole(target, table, source, asked)
    if target.is_transaction:
        _refuse_parts(asked)
    if asked.is_in_parts:
        return await copy_in_parts(target, table, source, asked)
    if asked.workers > 1:
        return await copy_in_by_workers(target, table, source, asked)
    async with target.writing() as session:
        return await copy_in_whole(session, table, source, asked)


def _peak_bytes() -> int | None:
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:  # on Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2)
    return getrusage(RUSAGE_SELF).ru_maxrss * unit


def _refuse_parts(asked: Asked) -> None:
    if asked.is_in_parts or asked.workers > 1:
        raise CopyError(
            "a unit of work is one transaction on one connection: load with commit_every=, resume= and workers= from a "
            "Database."
        )
