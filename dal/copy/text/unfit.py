"""Texts that PostgreSQL has not: bytes that are none in their encoding, and NUL characters.

Pure. A byte that is no text is carried as a character that the block has not, so that Arrow reads the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from dal.copy.records import Broken

_NUL: Final = "\0"
_NO_TEXT: Final = re.compile("[\udc80-\udcff]")
# The last of Unicode, and nobody's.
_LAST: Final = 0x10FFFF


def marked(data: bytes) -> tuple[bytes, str | None]:
    """Put a mark for each byte of *data* that is no UTF-8, and give it; None if all is text."""
    if data.isascii():
        return data, None
    try:
        data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="surrogateescape")
    else:
        return data, None
    mark = next(mark for mark in map(chr, range(_LAST, 0, -1)) if mark not in text)
    return _NO_TEXT.sub(mark, text).encode(), mark


def readable(data: bytes) -> str:
    """Give *data* as `shown` does."""
    return _NO_TEXT.sub("\ufffd", data.decode(errors="surrogateescape"))


def shown(text: str, mark: str | None) -> str:
    """Give *text* as a reader may have it: with U+FFFD for each byte that is none."""
    return text if mark is None else text.replace(mark, "\ufffd")


def without_unfit(
    table: pa.Table, numbers: Sequence[int], mark: str | None, encoding: str
) -> tuple[pa.Table, Sequence[int], list[Broken]]:
    """Take the records out of *table*, and their *numbers*, that have a mark or a NUL character."""
    reasons = {_NUL: "a NUL character, which no text in PostgreSQL can have"}
    if mark is not None:
        reasons[mark] = f"bytes that are no {encoding}"
    found = dict[int, tuple[str, str]]()
    for column in table.column_names:
        for text, reason in reasons.items():
            for row in _rows_with(table[column], text):
                found.setdefault(row, (column, reason))
    if not found:
        return table, numbers, []
    broken = [
        _broken(table.slice(row, 1).to_pylist()[0], numbers[row], mark, *reason)
        for row, reason in sorted(found.items())
    ]
    whole = [row for row in range(table.num_rows) if row not in found]
    return table.take(pa.array(whole, pa.int64())), [numbers[row] for row in whole], broken


def _rows_with(column: pa.ChunkedArray, text: str) -> list[int]:
    has_it = pc.call_function("match_substring", [column], pc.MatchSubstringOptions(text))
    rows: list[int] = pc.call_function("indices_nonzero", [has_it]).to_pylist()
    return rows


def _broken(record: dict[str, str | None], number: int, mark: str | None, column: str, reason: str) -> Broken:
    fields = {name: text if text is None else shown(text, mark) for name, text in record.items()}
    return Broken(number, f"{reason}, in column {column!r}", fields, column=column)
