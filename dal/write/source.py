"""The rows as something a statement can select from: arrays unnested, a VALUES list, or a staging table.

Pure. Arrays make one statement of every size; what cannot be an array's element goes as VALUES, or by COPY.
"""

from __future__ import annotations

from typing import Any, Final
from zlib import crc32

from sqlalchemy import (
    BindParameter,
    Column,
    FromClause,
    Integer,
    MetaData,
    Table,
    Values,
    bindparam,
    cast,
    column,
    types,
    values,
)
from sqlalchemy.sql.type_api import TypeEngine
from sqlalchemy.types import UserDefinedType

from dal.projection.keys import unnested
from dal.write.batch import Batch, Sent

# The number of a row, in the order of the input.
ROW: Final = "dal_row"
_NAME: Final = "dal_rows"


class Raw(UserDefinedType[Any]):
    """A type by its name in SQL, whose values are passed on as they are."""

    cache_ok = True

    def __init__(self, spec: str) -> None:
        self.spec = spec

    def get_col_spec(self, **_: Any) -> str:
        """Spell the type."""
        return self.spec


def inline(batch: Batch) -> FromClause:
    """Offer the rows as parameters of the statement, numbered."""
    return _unnested(batch) if fits_arrays(batch) else _listed(batch)


def parameters(batch: Batch, offer: FromClause) -> dict[str, Any]:
    """Give the values of what `inline` made of the rows; its statement can be kept for other rows of the same kind."""
    return {} if isinstance(offer, Table | Values) else arrays(batch)


def arrays(batch: Batch) -> dict[str, Any]:
    """Give the values of a statement over arrays."""
    return {f"{ROW}_{number}": each.values for number, each in enumerate(batch.sent)}


def fits_arrays(batch: Batch) -> bool:
    """Tell whether every column can be sent as an array."""
    return all(each.wire.in_array for each in batch.sent)


def staging_table(batch: Batch, *, numbered: bool) -> Table:
    """Describe the temporary table that takes the rows."""
    columns = [Column(each.column.name, _staged(each)) for each in batch.sent]
    number = [Column(ROW, Integer)] if numbered else []
    options: dict[str, Any] = {"prefixes": ["TEMPORARY"], "postgresql_on_commit": "DROP"}
    # asyncpg remembers the types of a table's columns by its name: other types must have another name.
    shape = ", ".join(f"{each.name} {each.type!r}" for each in columns)
    name = f"{_NAME}_{crc32(shape.encode()):08x}"
    return Table(name, MetaData(), *columns, *number, schema="pg_temp", **options)


def _staged(sent: Sent) -> TypeEngine[Any]:
    """Give the type on the wire; a numeric's own, which else would be rounded again for every row."""
    own = type(sent.column.type) in {types.Numeric, types.NUMERIC} and not (sent.wire.cast or sent.column.primary_key)
    return sent.column.type if own else Raw(sent.wire.spec)


def _unnested(batch: Batch) -> FromClause:
    elements = []
    for number, each in enumerate(batch.sent):
        array = Raw(f"{each.wire.spec}[]")
        elements.append(cast(bindparam(f"{ROW}_{number}", type_=array), array))
    names = [column(each.column.name, Raw(each.wire.spec)) for each in batch.sent]
    derived = unnested(elements).table_valued(*names, with_ordinality=ROW)
    return derived.render_derived(name=_NAME)


def _listed(batch: Batch) -> FromClause:
    names = [column(each.column.name, Raw(each.wire.spec)) for each in batch.sent]
    rows: list[tuple[Any, ...]] = []
    for number, row in enumerate(zip(*(each.values for each in batch.sent), strict=True), 1):
        cells: list[Any] = [_parameter(value, name.type) for value, name in zip(row, names, strict=True)]
        if not rows:
            # The first row's types are those of the list.
            cells = [cast(cell, cell.type) for cell in cells]
        rows.append((*cells, _parameter(number, Integer())))
    return values(*names, column(ROW, Integer), name=_NAME).data(rows)


def _parameter(value: Any, type_: Any) -> BindParameter[Any]:
    return bindparam(None, value, type_=type_, unique=True)
