"""A CSV file of which one record in a hundred is bad, beside the same file without fault; both as dal loads any file.

The bad ones are of five kinds, in turn: a number that is none, a record with a field too few or too many, and a CHECK,
a UNIQUE constraint and a foreign key that are violated. They lie as evenly as they can: no part of the file is clean.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from bench.copy_bench import Bench, Part, Way
from bench.copy_files import HEADED, psql_load
from bench.copy_rows import SHOP, SHOPS, STRICT, records
from dal.copy import CopyReport, copy_in

EVERY: Final = 100

# Of the fields of a record: id, name, price, changed, is_open, shop_id.
Fields: TypeAlias = Sequence[str]
Spoil: TypeAlias = Callable[[Fields], Fields]

_SPOILT: Final[Sequence[Spoil]] = (
    lambda fields: [f"x{fields[0]}", *fields[1:]],
    lambda fields: fields[:-1] if int(fields[0]) % 200 else [*fields, "more"],
    lambda fields: [*fields[:2], "-1", *fields[3:]],
    lambda fields: [str(int(fields[0]) - 1), *fields[1:]],
    lambda fields: [*fields[:-1], str(SHOPS + 1)],
)


async def dirt(bench: Bench) -> None:
    """Load both files into a table with constraints."""
    rows = bench.size.rows
    bad = rows // EVERY
    await bench.recreate(SHOP, STRICT)
    await bench.connection.execute(f"INSERT INTO {SHOP} SELECT generate_series(1, {SHOPS})")
    clean, left, spoilt = (bench.folder / f"{name}.csv" for name in ("clean", "left", "spoilt"))
    await _write_clean(bench, clean)
    write_spoilt(clean, left=left, spoilt=spoilt)
    whole = await bench.filled(STRICT, psql_load(bench, STRICT, clean, HEADED), rows)
    good = await bench.filled(STRICT, psql_load(bench, STRICT, left, HEADED), rows - bad)
    does = 'copy_in(database, table, csv, on_error="reject")'
    ways = {
        "psql_clean": Way(r"psql: \copy of the clean CSV", psql_load(bench, STRICT, clean, HEADED), whole),
        "dal_bad": Way(f"{does}, 1 % of it bad", partial(_load, bench, spoilt, bad), good),
        "dal": Way(f"{does}, clean", partial(_load, bench, clean, 0), whole),
    }
    await bench.measure(Part("dirt", STRICT, rows, ways))
    bench.ratio("csv_bad_vs_clean", "dirt", "0.5 or more", peer="dal", own="dal_bad")
    bench.ratio("csv_clean_with_constraints_vs_psql", "dirt", "none", peer="psql_clean")


def write_spoilt(clean: Path, *, left: Path, spoilt: Path) -> None:
    """Write the file with bad records, and beside it what is to be left of it."""
    with clean.open(newline="") as source, left.open("w", newline="") as good, spoilt.open("w", newline="") as all_of:
        lines = iter(source)
        header = next(lines)
        good.write(header)
        all_of.write(header)
        for number, line in enumerate(lines, 1):
            if number % EVERY:
                good.write(line)
                all_of.write(line)
            else:
                spoil = _SPOILT[number // EVERY % len(_SPOILT)]
                csv.writer(all_of, lineterminator="\n").writerow(spoil(next(csv.reader([line]))))


async def _write_clean(bench: Bench, path: Path) -> None:
    await bench.connection.copy_records_to_table(STRICT.name, records=_records(bench.size.rows))
    await bench.psql(rf"\copy {STRICT} TO '{path}' WITH {HEADED}")


def _records(count: int) -> Iterator[tuple[object, ...]]:
    return ((*record, record[0] % SHOPS + 1) for record in records(count))


async def _load(bench: Bench, path: Path, bad: int) -> CopyReport:
    report = await copy_in(bench.database, STRICT, path, on_error="reject")
    if report.rejected != bad:
        raise SystemExit(f"{report.rejected} records of {path.name} were rejected, and {bad} are bad")
    return report
