"""Rows of whole tables in files, one per table: dumped once, loaded by COPY into the database of a test.

CSV to read and to keep under version control, Parquet for many rows; both hold the same. Needs the extra `arrow`.
Refuses: types that a file does not hold exactly.

| table column                     | in the file                |
|----------------------------------|----------------------------|
| integers, floats, numeric        | the number, every digit    |
| text, char, enum, json, jsonb    | text, as PostgreSQL casts  |
| boolean, date, time, timestamps  | the same                   |
| uuid; bytea                      | text; hexadecimal text     |
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from uuid import UUID

from sqlalchemy import Column, MetaData, Table, cast, func, select, types
from sqlalchemy.ext.asyncio import AsyncSession

from dal.database import Database
from dal.errors import CopyError, extra_needed

if TYPE_CHECKING:
    import pyarrow as pa

FileFormat: TypeAlias = Literal["csv", "parquet"]
_FORMATS: Final[tuple[FileFormat, ...]] = ("csv", "parquet")


async def dump_tables(db: Database, metadata: MetaData, folder: Path, file_format: FileFormat = "csv") -> None:
    """Write the rows of every table of *metadata* to `<table>.csv` or `<table>.parquet` in *folder*.

    All as of one moment, in the order of their primary keys; computed columns are left out. Each table is held in
    memory at once. Raises `CopyError` for a column whose type has no place in a file.
    """
    async with db.engine.execution_options(isolation_level="REPEATABLE READ").connect() as connection:
        for table in metadata.sorted_tables:
            schema = _schema(table)
            read = select(*(_read(table.columns[name]) for name in schema.names)).order_by(*table.primary_key)
            rows = (await connection.execute(read)).all()
            _write(_arrow_table(rows, schema), _path(folder, table, file_format), file_format)


async def load_tables(session: AsyncSession, metadata: MetaData, folder: Path) -> None:
    """Load what `dump_tables` wrote, in the order that foreign keys demand, in the session's transaction.

    A table without a file is left as it is. Sequences go on after the highest key. Raises `CopyError` and the errors of
    the server, as `dal.copy.copy_in` does.
    """
    with extra_needed("arrow"):
        from dal.copy import copy_in
    for table in metadata.sorted_tables:
        for file_format in _FORMATS:
            path = _path(folder, table, file_format)
            if path.exists():
                await copy_in(session, table, _for_copy(table, _read_file(path, _schema(table), file_format)))
                await _advance_sequence(session, table)


def _path(folder: Path, table: Table, file_format: FileFormat) -> Path:
    return folder / f"{table.fullname}.{file_format}"


def _schema(table: Table) -> pa.Schema:
    """Give the columns that a file holds, as what."""
    with extra_needed("arrow"):
        import pyarrow as pa
    return pa.schema([pa.field(c.name, _arrow_type(c)) for c in table.columns if c.computed is None])


def _arrow_type(column: Column[Any]) -> pa.DataType:
    import pyarrow as pa

    kind = _kind(column)
    if isinstance(kind, types.Numeric) and not isinstance(kind, types.Float):
        return pa.decimal128(kind.precision or 38, kind.scale or (0 if kind.precision else 10))
    if isinstance(kind, types.DateTime):
        return pa.timestamp("us", tz="UTC" if kind.timezone else None)
    for sql, arrow in _ARROW.items():
        if isinstance(kind, sql):
            return pa.type_for_alias(arrow)
    raise CopyError(f"column {column} is {kind!r}: no file holds that exactly. Leave its table out of the metadata.")


# The first that fits: SmallInteger is an Integer too.
_ARROW: Final[dict[type[types.TypeEngine[Any]], str]] = {
    types.SmallInteger: "int16",
    types.BigInteger: "int64",
    types.Integer: "int32",
    types.Float: "float64",
    types.Boolean: "bool",
    types.Date: "date32",
    types.Time: "time64[us]",
    types.Enum: "string",
    types.String: "string",
    types.JSON: "string",
    types.Uuid: "string",
    types.LargeBinary: "string",
}


def _kind(column: Column[Any]) -> types.TypeEngine[Any]:
    kind: Any = column.type
    return kind.impl_instance if isinstance(kind, types.TypeDecorator) else kind


def _read(column: Column[Any]) -> Any:
    """Select *column* as what the file holds, past what its type would make of it in Python."""
    kind = _kind(column)
    if isinstance(kind, types.LargeBinary):
        return func.encode(column, "hex")
    if isinstance(kind, types.Enum | types.String | types.JSON | types.Uuid):
        return cast(column, types.Text)
    if isinstance(kind, types.Numeric) and not isinstance(kind, types.Float):
        return cast(column, types.Numeric(asdecimal=True))
    return column


def _arrow_table(rows: Any, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _for_copy(table: Table, read: pa.Table) -> pa.Table:
    """Make bytes of what is text in the file only."""
    import pyarrow as pa

    decoders: dict[type[Any], tuple[Callable[[str], bytes], pa.DataType]] = {
        types.Uuid: (lambda text: UUID(text).bytes, pa.binary(16)),
        types.LargeBinary: (bytes.fromhex, pa.binary()),
    }
    for number, name in enumerate(read.column_names):
        for sql, (decode, arrow) in decoders.items():
            if isinstance(_kind(table.columns[name]), sql):
                values = [None if text is None else decode(text) for text in read.column(name).to_pylist()]
                read = read.set_column(number, name, pa.array(values, arrow))
    return read


def _write(rows: pa.Table, path: Path, file_format: FileFormat) -> None:
    from pyarrow import csv, parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    (csv.write_csv if file_format == "csv" else parquet.write_table)(rows, path)


def _read_file(path: Path, schema: pa.Schema, file_format: FileFormat) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv, parquet

    if file_format == "parquet":
        return parquet.read_table(path)
    # Text in quotes is text, also if it is empty; nothing between two commas is NULL.
    options = csv.ConvertOptions(
        column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    try:
        return csv.read_csv(path, convert_options=options, parse_options=csv.ParseOptions(newlines_in_values=True))
    except pa.ArrowInvalid as error:
        raise CopyError(f"{path} does not fit its table: {str(error).splitlines()[0]}") from error


async def _advance_sequence(session: AsyncSession, table: Table) -> None:
    key = table.autoincrement_column
    if key is None:
        return
    quoted = session.get_bind().dialect.identifier_preparer.format_table(table)
    sequence = func.pg_get_serial_sequence(quoted, key.name)
    highest = select(func.max(key)).scalar_subquery()
    await session.execute(select(func.setval(sequence, highest)).where(sequence.is_not(None), highest.is_not(None)))
