"""One block of records into columns of text by pyarrow, and what is broken in it.

Refuses: reading files, and blocks that do not end where a record ends.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from pyarrow import csv

from dal.copy.records import CHUNK_ROWS, Broken, Chunk
from dal.copy.text.form import Csv
from dal.copy.text.grammar import Grammar
from dal.copy.text.unfit import marked, readable, shown, without_unfit

_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Block:
    """The records of a block: the columns of those that are whole with their numbers, and the others."""

    table: pa.Table
    numbers: Sequence[int]
    broken: Sequence[Broken] = ()

    @property
    def rows(self) -> int:
        """How many records it has, whole and broken."""
        return len(self.numbers) + len(self.broken)

    def chunks(self, end_bytes: int) -> Iterator[Chunk]:
        """Cut it into pieces of `CHUNK_ROWS` numbers each."""
        broken = [one.number for one in self.broken]
        first = min([*self.numbers[:1], *broken[:1]], default=1)
        for start in range(first, first + self.rows, CHUNK_ROWS):
            whole = slice(*(bisect_left(self.numbers, number) for number in (start, start + CHUNK_ROWS)))
            others = slice(*(bisect_left(broken, number) for number in (start, start + CHUNK_ROWS)))
            yield Chunk(self._batch(whole), self.numbers[whole], self.broken[others], end_bytes)

    def _batch(self, rows: slice) -> pa.RecordBatch:
        part = self.table.slice(rows.start, rows.stop - rows.start)
        return pa.RecordBatch.from_arrays([column.combine_chunks() for column in part.columns], schema=part.schema)


class Parser:
    """Parses blocks of *form* whose columns are *names*, of which it gives *wanted*."""

    def __init__(self, form: Csv, grammar: Grammar, names: Sequence[str], wanted: Sequence[str]) -> None:
        self._form = form
        self._grammar = grammar
        self._names = list(names)
        self._end = next(one for one in "\x1e\x1f\x1d\x1c" if one not in (form.delimiter, form.quote))
        self.nothing = pa.schema([(name, pa.string()) for name in wanted]).empty_table()
        self._convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=list(wanted),
            null_values=list(form.nulls),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )

    def parse(self, data: bytes, first: int) -> Block | None:
        """Give the records of *data*, the first of which has number *first*; None if it ends within quotes."""
        lines = None if self._grammar.is_plain(data) else self._grammar.records(data)
        if lines is not None and sum(map(len, lines)) < len(data):
            return None
        text, mark = marked(data if lines is None else b"".join(map(self._grammar.plain, lines)))
        end = self._record_more(text)
        ragged = list[Any]()
        table = self._read(text + end + b"\n", ragged)
        if not ragged or ragged.pop().text != end.decode():
            return None
        if lines is not None:
            lines = [line for line in lines if line.strip(b"\r\n") or len(self._names) == 1]
        broken = [self._ragged(row, first, lines, mark) for row in ragged]
        numbers = _but(range(first, first + table.num_rows + len(broken)), broken)
        if mark is None and b"\0" not in text:
            return Block(table, numbers, broken)
        table, whole, unfit = without_unfit(table, numbers, mark, self._form.encoding)
        return Block(table, whole, sorted([*broken, *unfit]))

    def _read(self, text: bytes, ragged: list[Any]) -> pa.Table:
        def skip(row: Any) -> str:
            ragged.append(row)
            return "skip"

        # pyarrow drops a byte-order mark, which in the midst of a file is text.
        data = _BOM + text if text.startswith(_BOM) else text
        return csv.read_csv(
            pa.BufferReader(data),
            # One block and no threads: only so the numbers of the rows are known.
            read_options=csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=self._names),
            parse_options=csv.ParseOptions(
                delimiter=self._form.delimiter,
                quote_char=self._form.quote,
                newlines_in_values=True,
                ignore_empty_lines=len(self._names) > 1,
                invalid_row_handler=skip,
            ),
            convert_options=self._convert,
        )

    def _record_more(self, text: bytes) -> bytes:
        """Make a ragged record that *text* has not: pyarrow hands it back, unless an open quote swallows it."""
        end = self._end.encode()
        while end in text:
            end += end
        return end if len(self._names) > 1 else end + self._form.delimiter.encode()

    def _ragged(self, row: Any, first: int, lines: list[bytes] | None, mark: str | None) -> Broken:
        line = row.text if lines is None else readable(lines[row.number - 1]).rstrip("\r\n")
        reason = f"{row.actual_columns} fields instead of {row.expected_columns}"
        return Broken(first + row.number - 1, reason, line=shown(line, mark))


def header_names(record: bytes, form: Csv) -> list[str]:
    """Read the names out of the header's record, which is UTF-8."""
    options = csv.ParseOptions(delimiter=form.delimiter, quote_char=form.quote, newlines_in_values=True)
    return list(csv.read_csv(pa.BufferReader(record), parse_options=options).column_names)


def _but(numbers: range, broken: Sequence[Broken]) -> Sequence[int]:
    if not broken:
        return numbers
    gone = {one.number for one in broken}
    return [number for number in numbers if number not in gone]
