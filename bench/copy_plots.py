"""The plots of `bench.copy_in`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.plot import bars
from bench.report import Report

PLOTTED: Final = {
    "psql": "psql \\copy,\nCSV",
    "psql_clean": "psql \\copy,\nclean",
    "dal_opening": "dal, opening\nits pool",
    "dal_1": "dal copy_in,\n1 worker",
    "dal_2": "dal copy_in,\n2 workers",
    "dal_bad": "dal, 1 % bad,\nrejected",
    "psycopg": "psycopg\ncopy, binary",
    "asyncpg": "asyncpg\ncopy_records",
    "add_all": "SQLAlchemy\nadd_all",
    "core": "SQLAlchemy\ninsert()",
    "staging": "asyncpg\nCOPY, merge",
    "adbc": "ADBC\nadbc_ingest",
}
# What dal loads, which is called so, and the words above it.
TITLES: Final = {
    "lineitem": ("dal copy_in,\nParquet", "Load {rows:,} order lines of 16 columns"),
    "parquet": ("dal copy_in,\nParquet", "Load {rows:,} rows of 5 columns from a file"),
    "csv": ("dal copy_in,\nCSV, rejecting", "Load {rows:,} rows of 5 columns from a file"),
    "dirt": ("dal, clean", "Load {rows:,} rows under CHECK, UNIQUE and a foreign key"),
    "workers": ("dal", "Load {rows:,} rows of 5 columns from Parquet"),
    "tuples": ("dal copy_in", "Load {rows:,} tuples of 5"),
    "dicts": ("dal copy_in", "Load {rows:,} mappings of 5"),
    "upsert": ("dal copy_in", "Upsert {rows:,} tuples, half of them there already"),
    "arrow": ("dal copy_in", "Load an Arrow table of {rows:,} rows"),
    "out": ("dal copy_out,\nParquet", "Write {rows:,} rows of 5 columns into a file"),
}
# The one that is shown first, and has no other name than the benchmark's.
_FIRST: Final = "lineitem"


def plot(report: Report, folder: Path) -> None:
    """Draw the rates of each part, from the slowest round to the fastest."""
    parts: dict[str, dict[str, list[float]]] = {}
    for name, seconds in report.rounds_s.items():
        part, contender = name.split()
        own, _ = TITLES[part]
        shown = own if contender == "dal" else PLOTTED[contender]
        parts.setdefault(part, {})[shown] = [report.facts["rows"][part] / each for each in seconds]
    for part, rates in parts.items():
        _, title = TITLES[part]
        rounds = len(next(iter(rates.values())))
        bars(
            folder / (f"{report.name}.svg" if part == _FIRST else f"{report.name}_{part}.svg"),
            title=title.format(rows=report.facts["rows"][part]),
            axis=f"rows per second (median, least and most of {rounds})",
            measured=rates,
        )
