"""Doors by which something is written, loaded, or taken out again."""

from __future__ import annotations

import io
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, select
from sqlalchemy.exc import IdentifierError

from dal.copy import Conflict, Csv, CsvOut, Ndjson, NdjsonOut, ParquetOut, Rejecting, copy_in, copy_out
from tests.faults.hostile.drawing import Draw
from tests.faults.hostile.part import Found
from tests.faults.hostile.text_files import _CSV, _NDJSON, _content
from tests.faults.hostile.words import DIALECTS, JSON, MOMENTS, NAMES, NUMBERS
from tests.faults.hostile.world import Door, Note, Odd, Odds, Sheet, Sheets, World

SHEET: Final[Any] = Sheet.__table__
# Type checkers do not know its attributes.
ODD: Final[Any] = Odd


async def write_values(world: World, draw: Draw) -> None:
    """Write texts, and read them again: they are what they were, or were refused whole."""
    words, other = draw.text(), draw.text()
    match draw.under(4):
        case 0:
            await Sheets(world.db).upsert_many([{"id": 1, "words": words}])
            found = await Sheets(world.db).get(1, into=Sheet.words)
        case 1:
            await Sheets(world.db).upsert_many([{"id": 1, "words": other, "document": {other: [words]}}])
            await Sheets(world.db).update_where({"words": words}, Sheet.words == other)
            found = await Sheets(world.db).get(1, into=Sheet.words)
        case 2:
            await Odds(world.db).upsert_many([{"id": 1, "words": words, "select": other}])
            found = await Odds(world.db).get(1, into=ODD.words)
        case _:
            await Odds(world.db).delete_where(ODD.id == 1)
            await Odds(world.db).insert_many([{"id": 1, "words": words, "select": other}])
            await Odds(world.db).update_many([{"id": 1, "select": words}])
            found = await Odds(world.db).get(1, into=ODD.select)
    if found != words:
        raise Found(f"{words!r} was written, and {found!r} is there")


async def load_bytes(world: World, draw: Draw) -> None:
    """Load any bytes as text: as many rows more are there as the report says."""
    form: Any = draw.one_of(
        [Csv(), Csv(delimiter="\t", null=["", "NA"]), Csv(header=["id", "words"]), Ndjson(), Csv(escape="\\")]
    )
    if draw.flag():
        content = b"id,words,amount,moment,document\n" + b"".join(_line(draw) for _ in range(draw.under(6)))
    else:
        content = draw.one_of([*_CSV, *_NDJSON])[3:] + _content(draw)
    await _loaded(world, draw, io.BytesIO(content), {"form": form})


async def load_values(world: World, draw: Draw) -> None:
    """Load what Python holds, of any type."""

    def value() -> Any:
        picked = draw.one_of(_ODD) if draw.flag() else draw.text()
        return _deep() if picked is _Deep else picked

    def record() -> Any:
        if draw.flag():
            return {"id": draw.under(99), "words": value(), "document": value()}
        return (draw.under(99), *(value() for _ in range(4)))

    records = [record() for _ in range(1 + draw.under(3))]
    if draw.under(6) == 0:
        records.append(draw.one_of([None, 1, "text", {}, (), {"nope": 1}, {1: 1}, [], {"id": 1, draw.text(): 1}]))
    await _loaded(world, draw, records, {})


async def load_parquet(world: World, draw: Draw) -> None:
    """Load a Parquet file that was cut, or of which some bits are others."""
    path = world.folder / "hostile.parquet"
    data = bytearray(_parquet())
    for _ in range(draw.under(6)):
        data[draw.under(len(data))] = draw.under(256)
    if draw.flag():
        data = data[: draw.under(len(data) + 1)]
    path.write_bytes(data)
    await _loaded(world, draw, path, {})


async def load_with_options(world: World, draw: Draw) -> None:
    """Load three good records with options that somebody has typed."""
    options: Any = {}
    if draw.flag():
        options["rename"] = {draw.text(NAMES): draw.text(NAMES)} if draw.flag() else {draw.text(NAMES): "words"}
    if draw.flag():
        options["on_conflict"] = Conflict(
            "update", on=draw.texts(2, NAMES), update=draw.maybe(lambda: draw.texts(2, NAMES))
        )
    if draw.flag():
        options["resume"] = draw.text()
    if draw.flag():
        to = draw.maybe(lambda: world.folder / _file_name(draw))
        options["on_error"] = Rejecting(to, table=draw.maybe(lambda: "play." + draw.text(NAMES).replace(".", "")))
    if draw.under(4) == 0:
        options["form"] = Csv(null=draw.texts(2), dates={draw.text(NAMES): draw.texts(2, DIALECTS)})
    source: Any = io.BytesIO(b"id,words\n1,a\n2,b\nx,c\n")
    if draw.under(4) == 0:
        source = draw.text(NAMES) if draw.flag() else str(world.folder / _file_name(draw))
    await _loaded(world, draw, source, options)


async def load_odd_names(world: World, draw: Draw) -> None:
    """Make a table whose columns are called anything, load it, and take it out: it is what was loaded."""
    names = list(dict.fromkeys(name[:63] for name in draw.texts(3) if name and _fits(name)))
    table = Table(
        _name(draw),
        MetaData(),
        Column("id", BigInteger, primary_key=True),
        *(Column(name, Text) for name in names if name != "id"),
        schema="play",
    )
    try:
        async with world.db.engine.begin() as connection:
            await connection.run_sync(table.metadata.create_all)
    except IdentifierError:
        return
    try:
        record = {column.name: "words" for column in table.columns} | {"id": 1}
        await copy_in(
            world.db,
            table,
            [record],
            on_conflict=draw.one_of(["error", "update", "skip"]),
            on_error=draw.one_of(["abort", "reject"]),
        )
        target = io.BytesIO()
        form: Any = draw.one_of([CsvOut(), NdjsonOut(), ParquetOut()])
        report = await copy_out(world.db, select(table), target, form=form)
        if report.rows != 1:
            raise Found(f"{table.name!r} with {names!r} has {report.rows} rows")
    finally:
        async with world.db.engine.begin() as connection:
            await connection.run_sync(table.metadata.drop_all)


async def dump(world: World, draw: Draw) -> None:
    """Take out the rows that a text finds: none, whatever the text."""
    form: Any = draw.one_of([CsvOut(), NdjsonOut(), ParquetOut(), None])
    if form is None:
        form = CsvOut(
            delimiter=draw.text(DIALECTS),
            quote=draw.text(DIALECTS),
            null=draw.text(DIALECTS),
            encoding=draw.text(DIALECTS),
        )
    words = draw.text()
    what = select(Note).where(Note.name == words, Note.amount != draw.under(9), Note.tags != [words, None])
    target: Any = io.BytesIO() if draw.under(4) else world.folder / _file_name(draw)
    report = await copy_out(world.db, what, target, form=form)
    if report.rows and not words.startswith("note "):
        raise Found(f"{words!r} finds {report.rows} rows")


class _Deep:
    """Stands for a list of lists of lists."""


_ODD: Final[list[Any]] = [
    1, "1", 10**30, 1.5, float("nan"), None, b"x", object(), [], {}, {"a": float("nan")}, {1: 2}, "\0", "\ud800",
    {"\0": "\ud800"}, _Deep,
]  # fmt: skip


def _deep() -> Any:
    found: Any = []
    for _ in range(900):
        found = [found]
    return found


async def _loaded(world: World, draw: Draw, source: Any, options: dict[str, Any]) -> None:
    options = {"on_conflict": "replace" if "resume" not in options else "update"} | options
    options.setdefault("on_error", draw.one_of(["abort", "reject"]))
    report = await copy_in(world.db, SHEET, source, **options)
    is_replaced = options["on_conflict"] == "replace"
    rows = await world.outside.fetchval("SELECT count(*) FROM play.sheet") if is_replaced else report.rows
    if rows != report.rows:
        raise Found(f"{rows} rows are there, and the report says {report.rows}")


def _line(draw: Draw) -> bytes:
    fields = [draw.text(NUMBERS), draw.text(), draw.text(NUMBERS), draw.text(MOMENTS), draw.text(JSON)]
    quoted = ['"' + each.replace('"', '""') + '"' for each in fields]
    return ",".join([str(draw.under(99)), *quoted[1:]]).encode("utf-8", "surrogatepass") + b"\n"


def _parquet() -> bytes:
    table = pa.table({"id": [1, 2, 3], "words": ["a", "b\0", None], "document": ['{"a": 1}', "[]", "null"]})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _file_name(draw: Draw) -> str:
    """Name a file in the folder of its own, of those that a system has."""
    name = draw.text(NAMES).replace("/", "_").replace("\0", "")
    return (name or "x")[:300] + draw.one_of([".csv", ".ndjson", ".parquet", "", ".csv.gz"])


def _name(draw: Draw) -> str:
    name = draw.text()
    return name if name and _fits(name) else "odd"


def _fits(name: str) -> bool:
    """Tell whether PostgreSQL has such a name at all."""
    try:
        return 0 < len(name.encode()) <= 63 and "\0" not in name
    except UnicodeEncodeError:
        return False


WRITE: Final = [
    Door("writes", write_values, 10),
    Door("text loads", load_bytes, 8),
    Door("value loads", load_values, 5),
    Door("parquet loads", load_parquet, 6),
    Door("load options", load_with_options, 8),
    Door("odd names", load_odd_names, 2),
    Door("dumps", dump, 5),
]
