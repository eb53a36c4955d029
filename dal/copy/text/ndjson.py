"""NDJSON files as a source of records: an object on each line, the names from the first.

Refuses: knowing tables; guessing types, since all are texts that PostgreSQL reads.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from typing import Final, TypeAlias

import pyarrow as pa

from dal.copy.records import CHUNK_ROWS, Broken, Chunk, Records
from dal.copy.text.inputs import Input, open_text, sum_of_bytes
from dal.copy.text.json_lines import Fields, Unfit, fields_of
from dal.errors import CopyError

_SPACE: Final = b" \t\r\n"

# A line that is not empty, and how far into the source its block was read.
_Line: TypeAlias = tuple[bytes, int]


@contextmanager
def open_ndjson(inputs: Sequence[Input], dates: Mapping[str, Sequence[str]] | None = None) -> Generator[Records]:
    """Open *inputs*, one after the other, as one source; an empty line is no record and is not counted.

    A key that is not there is a NULL. A line that is no JSON object, or has a key twice or one more than the first
    object, is given as broken. Memory is that of a block. Raises `CopyError` if the files cannot be read, or nothing
    in the first `CHUNK_ROWS` lines is an object; also while the chunks are drawn.
    """
    with closing(_lines(inputs)) as lines:
        head = list(islice(lines, CHUNK_ROWS))
        names = _names(head)
        schema = pa.schema([(name, pa.string()) for name in names])

        def chunks(wanted: pa.Schema) -> Iterator[Chunk]:
            return _chunks(chain(head, lines), frozenset(names), wanted.names)

        yield Records(schema, chunks, None, sum_of_bytes(inputs), is_text=True, formats=dict(dates or {}))


def _lines(inputs: Sequence[Input]) -> Generator[_Line]:
    read, number = 0, 1
    for source in inputs:
        with open_text(source, "utf-8", read) as file:
            data, is_all = b"", False
            while not is_all:
                data, is_all = file.more(data, number)
                *complete, data = data.split(b"\n")
                end_bytes = file.end_bytes
                for line in complete:
                    if text := line.strip(_SPACE):
                        number += 1
                        yield text, end_bytes
            read = file.end_bytes


def _names(head: Iterable[_Line]) -> tuple[str, ...]:
    reason = "there are no lines"
    for number, (line, _) in enumerate(head, 1):
        fields = _read(line, number)
        if not isinstance(fields, Broken):
            return tuple(fields)
        reason = f"line {number} has {fields.reason}"
    raise CopyError(f"no JSON object names the columns: {reason}. Give a file with an object on each line.")


def _chunks(lines: Iterator[_Line], names: frozenset[str], wanted: Sequence[str]) -> Iterator[Chunk]:
    first = 1
    while some := list(islice(lines, CHUNK_ROWS)):
        yield _chunk(some, first, names, wanted)
        first += len(some)


def _chunk(lines: Sequence[_Line], first: int, names: frozenset[str], wanted: Sequence[str]) -> Chunk:
    numbers, rows, broken = list[int](), list[Fields](), list[Broken]()
    for number, (line, _) in enumerate(lines, first):
        fields = _read(line, number, names)
        if isinstance(fields, Broken):
            broken.append(fields)
        else:
            numbers.append(number)
            rows.append(fields)
    columns = [pa.array([row.get(name) for row in rows], pa.string()) for name in wanted]
    schema = pa.schema([(name, pa.string()) for name in wanted])
    return Chunk(pa.RecordBatch.from_arrays(columns, schema=schema), numbers, broken, lines[-1][1])


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
