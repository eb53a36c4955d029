"""NDJSON files as a source of records: an object on each line, the names from the first.

Refuses: knowing tables; guessing types, since all are texts that PostgreSQL reads.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, NamedTuple

import pyarrow as pa

from dal.copy.records import CHUNK_ROWS, Broken, Chunk, Records
from dal.copy.text.form import check_dates, formats_of
from dal.copy.text.inputs import Input, open_text, sum_of_bytes
from dal.copy.text.json_lines import Fields, Unfit, fields_of
from dal.errors import CopyError

_SPACE: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Ndjson:
    """An NDJSON file, whatever its name; `dates` are as `Csv` has them.

    Raises `CopyError` for dates that are no formats.
    """

    dates: Mapping[str, str | Sequence[str]] = field(default_factory=dict[str, str | Sequence[str]])

    def __post_init__(self) -> None:
        formats_of(self.dates)


class _Lines(NamedTuple):
    """The lines of a block that are not empty, and how far into the source it was read."""

    lines: list[bytes]
    end_bytes: int


@contextmanager
def open_ndjson(inputs: Sequence[Input], dates: Mapping[str, str | Sequence[str]] | None = None) -> Generator[Records]:
    """Open *inputs*, one after the other, as one source; an empty line is no record and is not counted.

    A key that is not there is a NULL. A line that is no JSON object, or has a key twice or one more than the first
    object, is given as broken. A string stands for itself, also for a column of JSON. *dates* are as `Csv` has them.
    One block is held in memory. Raises `CopyError` if the files cannot be read, or their first `CHUNK_ROWS` lines have
    no object that names the columns; also while the chunks are drawn.
    """
    formats = formats_of(dates or {})
    with closing(_blocks(inputs)) as blocks:
        head = list[_Lines]()
        names = _names(blocks, head)
        check_dates(formats, names, "the first object")
        schema = pa.schema([(name, pa.string()) for name in names])

        def chunks(wanted: pa.Schema) -> Iterator[Chunk]:
            return _chunks(chain(head, blocks), frozenset(names), wanted.names)

        yield Records(schema, chunks, None, sum_of_bytes(inputs), is_text=True, is_json=True, formats=formats)


def _blocks(inputs: Sequence[Input]) -> Generator[_Lines]:
    read, number = 0, 1
    for source in inputs:
        with open_text(source, "utf-8", read) as file:
            data, is_all = b"", False
            while not is_all:
                data, is_all = file.more(data, number)
                *complete, data = data.split(b"\n")
                lines = [text for line in complete if (text := line.strip(_SPACE))]
                read = file.end_bytes
                number += len(lines)
                yield _Lines(lines, read)


def _names(blocks: Iterator[_Lines], head: list[_Lines]) -> tuple[str, ...]:
    """Find the first object's names, and leave the blocks that were drawn for it in *head*."""
    reason, number = "there are no lines", 0
    for block in blocks:
        head.append(block)
        for line in block.lines:
            number += 1
            fields = _read(line, number)
            if isinstance(fields, Broken):
                reason = f"line {number} has {fields.reason}"
            elif fields:
                return tuple(fields)
            else:
                reason = f"line {number} has an object without keys"
        if number >= CHUNK_ROWS:
            break
    raise CopyError(f"no JSON object names the columns: {reason}. Give a file with an object on each line.")


def _chunks(blocks: Iterable[_Lines], names: frozenset[str], wanted: Sequence[str]) -> Iterator[Chunk]:
    first = 1
    for lines, end_bytes in blocks:
        for start in range(0, len(lines), CHUNK_ROWS):
            some = lines[start : start + CHUNK_ROWS]
            rows = [_read(line, number, names) for number, line in enumerate(some, first)]
            yield _chunk(rows, first, wanted, end_bytes)
            first += len(some)


def _chunk(rows: Sequence[Fields | Broken], first: int, wanted: Sequence[str], end_bytes: int) -> Chunk:
    broken = [row for row in rows if isinstance(row, Broken)]
    whole = [row for row in rows if not isinstance(row, Broken)]
    numbers: Sequence[int] = range(first, first + len(rows))
    if broken:
        numbers = [number for number, row in zip(numbers, rows, strict=True) if not isinstance(row, Broken)]
    columns = [pa.array([row.get(name) for row in whole], pa.string()) for name in wanted]
    schema = pa.schema([(name, pa.string()) for name in wanted])
    return Chunk(pa.RecordBatch.from_arrays(columns, schema=schema), numbers, broken, end_bytes)


def _read(line: bytes, number: int, names: frozenset[str] | None = None) -> Fields | Broken:
    try:
        fields = fields_of(line.decode())
    except UnicodeDecodeError:
        return Broken(number, "bytes that are no utf-8", line=line.decode(errors="replace"))
    except Unfit as error:
        return Broken(number, error.reason, line=line.decode(), column=error.column)
    if names is None or names.issuperset(fields):
        return fields
    other = next(name for name in fields if name not in names)
    return Broken(number, f"a key {other!r} that the first object has not", line=line.decode(), column=other)
