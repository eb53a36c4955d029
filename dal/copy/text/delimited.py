"""CSV and TSV files as a source of records: their names, and their records one block after the other.

Refuses: knowing tables; guessing types, since all are texts that PostgreSQL reads.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pyarrow as pa

from dal.copy.records import Broken, Chunk, Records
from dal.copy.text.form import Csv, check_dates, check_names, formats_of
from dal.copy.text.grammar import Grammar
from dal.copy.text.inputs import Input, TextFile, open_text, suffix_of, sum_of_bytes
from dal.copy.text.parse import Block, Parser, header_names
from dal.copy.text.unfit import readable
from dal.errors import CopyError


@contextmanager
def open_csv(inputs: Sequence[Input], form: Csv | None = None) -> Generator[Records]:
    """Open *inputs*, one after the other, as one source; without *form* by the first one's suffix.

    A record with too few or too many fields, bytes that are no text, a NUL character or a quote that is not closed is
    given as broken. One block is held in memory. Raises `CopyError` for a file that cannot be read, lacks names, or
    has others than the first; also while the chunks are drawn.
    """
    form = form or _form_of(inputs[0])
    with ExitStack() as stack:
        first = _Delimited(stack.enter_context(open_text(inputs[0], form.encoding)), form)
        schema = pa.schema([(name, pa.string()) for name in first.names])
        check_dates(form.dates, first.names, first.file.name)

        def chunks(wanted: pa.Schema) -> Iterator[Chunk]:
            return stack.enter_context(closing(_chunks(first, inputs[1:], wanted.names)))

        yield Records(schema, chunks, None, sum_of_bytes(inputs), is_text=True, formats=formats_of(form.dates))


def _form_of(source: Input) -> Csv:
    return Csv(delimiter="\t") if isinstance(source, Path) and suffix_of(source) in (".tsv", ".tab") else Csv()


class _Delimited:
    """A file behind its header."""

    def __init__(self, file: TextFile, form: Csv) -> None:
        self.file = file
        self.form = form
        self.grammar = Grammar(form)
        self._kept, self._is_all = file.more(b"", 1)
        self.names = form.names or self._header()

    def blocks(self, wanted: Sequence[str], number: int) -> Iterator[Block]:
        """Give the records, the first of which has *number*, in blocks that end where a record ends."""
        parser = Parser(self.form, self.grammar, self.names, wanted)
        data, is_all = self._kept, self._is_all
        while True:
            end, block = self._parsed(parser, data, number, is_all=is_all)
            if block is not None:
                yield block
                number += block.rows
            data = data[end:]
            if is_all:
                break
            data, is_all = self.file.more(data, number)
        if data:
            yield _not_closed(parser, data, number, self.file.name)

    def _parsed(self, parser: Parser, data: bytes, number: int, *, is_all: bool) -> tuple[int, Block | None]:
        end = len(data) if is_all else self.grammar.likely_end(data)
        if end and (block := parser.parse(data[:end], number)) is not None:
            return end, block
        end = self.grammar.exact_end(data)
        block = parser.parse(data[:end], number) if end else None
        if end and block is None:
            raise CopyError(f"{self.file.name} cannot be cut into records from record {number} on: mend its quotes.")
        return end, block

    def _header(self) -> tuple[str, ...]:
        record = b""
        while not record.strip(b"\r\n"):
            record = self._record()
        return self._names(record)

    def _record(self) -> bytes:
        while (end := self.grammar.record_end(self._kept)) is None:
            if self._is_all:
                raise CopyError(f"{self.file.name} has no line of names: give them as Csv(header=[...]).")
            self._kept, self._is_all = self.file.more(self._kept, 1)
        record, self._kept = self._kept[:end], self._kept[end:]
        return record

    def _names(self, record: bytes) -> tuple[str, ...]:
        if b"\0" in record or not _is_utf8(record):
            raise CopyError(f"the first line of {self.file.name} is no {self.form.encoding}: give the file's encoding.")
        names = header_names(self.grammar.plain(record), self.form)
        check_names(names, f"the first line of {self.file.name}")
        return tuple(names)


def _chunks(first: _Delimited, others: Sequence[Input], wanted: Sequence[str]) -> Generator[Chunk]:
    number, read = 1, 0
    for block in first.blocks(wanted, number):
        yield from block.chunks(first.file.end_bytes)
        number += block.rows
    read = first.file.end_bytes
    for source in others:
        with open_text(source, first.form.encoding, read) as file:
            delimited = _Delimited(file, first.form)
            _check_same(first, delimited)
            for block in delimited.blocks(wanted, number):
                yield from block.chunks(file.end_bytes)
                number += block.rows
            read = file.end_bytes


def _check_same(first: _Delimited, other: _Delimited) -> None:
    lacking = [name for name in first.names if name not in other.names]
    more = [name for name in other.names if name not in first.names]
    differences = [f"lacks {', '.join(map(repr, lacking))}"] * bool(lacking)
    differences += [f"has {', '.join(map(repr, more))} more"] * bool(more)
    if differences:
        raise CopyError(
            f"{other.file.name} has other columns than {first.file.name}: it {' and '.join(differences)}."
            " Load it apart."
        )


def _not_closed(parser: Parser, data: bytes, number: int, name: str) -> Block:
    line = readable(data).rstrip("\r\n")
    broken = Broken(number, f"a quote that is not closed at the end of {name}", line=line)
    return Block(parser.nothing, range(0), [broken])


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
