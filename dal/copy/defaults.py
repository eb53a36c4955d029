"""Python's defaults, for columns that the records lack; what is SQL's is refused, since COPY runs none.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pyarrow as pa
from sqlalchemy import Column
from sqlalchemy.schema import Sequence

# Gives so many values, for the rows of a batch.
Generate: TypeAlias = Callable[[pa.RecordBatch], list[Any]]


def default_of(column: Column[Any]) -> Generate | str | None:
    """Give what makes the values that *column* lacks, called once for each record; or why it cannot be; or None."""
    default: Any = column.default
    if default is None or default.is_sentinel:
        return None
    if isinstance(default, Sequence):
        return f"whose default is the sequence {default.name!r}, which COPY cannot ask: make it a server default"
    if default.is_clause_element:
        return "whose default is an SQL expression, which COPY cannot run: make it a server default"
    if default.is_callable:
        return lambda batch: [default.arg(_Row(batch, index)) for index in range(batch.num_rows)]
    return lambda batch: [default.arg] * batch.num_rows


class _Row:
    """What a default that looks at its row gets in the place of SQLAlchemy's execution context."""

    def __init__(self, batch: pa.RecordBatch, index: int) -> None:
        self._batch, self._index = batch, index

    def get_current_parameters(self, isolate_multiinsert_groups: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 # SQLAlchemy's signature
        """Give the row's values, as they are sent, by the column's name."""
        return {name: self._batch.column(name)[self._index].as_py() for name in self._batch.schema.names}

    current_parameters = property(get_current_parameters)
