"""The forms that data can be written in: what the server is asked for, and what becomes of what it sends.

Refuses: knowing where it goes, and connections.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Final, Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from dal.copy.out.batches import Batches, Column
from dal.copy.out.files import COMPRESSIONS, Counted, Target, compressing
from dal.errors import CopyError
from dal.sendable import is_sendable

Compression: TypeAlias = Literal["gzip", "zstd"]

_NOT_SINGLE: Final = "\r\n"
# JSON has neither of these characters in it, so that nothing is ever quoted.
_NEVER_QUOTED: Final[dict[str, Any]] = {"format": "csv", "delimiter": "\2", "quote": "\1"}
# What `Batches` understands.
IN_ARROW: Final[dict[str, Any]] = {"format": "text", "encoding": "UTF8"}
# So many rows to a value make a column one for a dictionary.
_PER_VALUE: Final = 4
# Of a row group, whatever its rows: they stay in memory until it is complete.
GROUP_BYTES: Final = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOut:
    """CSV as PostgreSQL writes it, in the words of its COPY; *null* is unquoted, and an empty text is `""`.

    *encoding* is one of PostgreSQL's. Values are in the server's own form, which the session's settings change.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    null: str = ""
    header: bool = True
    encoding: str = "UTF8"
    compression: Compression | None = None

    def __post_init__(self) -> None:
        for name in ("delimiter", "quote", "escape"):
            value = getattr(self, name)
            if value is not None and (len(value) != 1 or not value.isascii() or value in _NOT_SINGLE):
                raise CopyError(f"{name}={value!r} of a CSV must be one ASCII character, and no end of a line.")
        for name in ("null", "encoding"):
            if not is_sendable(getattr(self, name)):
                raise CopyError(f"{name}={getattr(self, name)!r} of a CSV must be a text, without a NUL in it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NdjsonOut:
    """One JSON object a line, as the server's `row_to_json` makes it."""

    compression: Compression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetOut:
    """Parquet, in row groups of about *group_rows*, or fewer where these would take much memory."""

    compression: Literal["zstd", "snappy", "gzip", "none"] = "zstd"
    group_rows: int = 131_072

    def __post_init__(self) -> None:
        if self.group_rows < 1:
            raise CopyError(f"group_rows={self.group_rows} of a Parquet file must be at least 1.")


Form: TypeAlias = CsvOut | NdjsonOut | ParquetOut

_BY_SUFFIX: Final[dict[str, Form]] = {
    ".csv": CsvOut(),
    ".tsv": CsvOut(delimiter="\t"),
    ".ndjson": NdjsonOut(),
    ".jsonl": NdjsonOut(),
    ".parquet": ParquetOut(),
}


def form_of(target: Target, form: Form | None) -> Form:
    """Give *form*, or what the suffix says; compressed as the suffix says if *form* does not."""
    if not isinstance(target, str | os.PathLike):
        if form is None:
            raise CopyError("a stream has no name that says its form: give form=CsvOut(), NdjsonOut() or ParquetOut().")
        return form
    suffixes = [suffix.lower() for suffix in PurePath(target).suffixes]
    compression: Any = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    kind = suffixes[-2:-1] if compression else suffixes[-1:]
    found = form or _BY_SUFFIX.get("".join(kind))
    if found is None or (compression and isinstance(found, ParquetOut)):
        raise CopyError(
            f"{os.fspath(target)!r} does not end in {', '.join(_BY_SUFFIX)}, the texts with "
            f"{' or '.join(COMPRESSIONS)} behind it: name it so, or give form=CsvOut(), NdjsonOut() or ParquetOut()."
        )
    if isinstance(found, ParquetOut) or not compression:
        return found
    return replace(found, compression=found.compression or compression)


class Writer(ABC):
    """Writes one set of data; `rows` counts what was written. *options* are those of COPY."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.rows = 0

    @abstractmethod
    def query(self, sql: str) -> str:
        """Give what the server is to run in the place of *sql*."""

    @abstractmethod
    def write(self, block: bytes) -> None:
        """Write whole messages of the server's."""

    @abstractmethod
    def finish(self) -> None:
        """Write what comes at the end; without it, nothing is complete."""


def writer_of(form: Form, columns: Sequence[Column], sink: Counted) -> Writer:
    """Begin to write *columns* to *sink*."""
    if isinstance(form, CsvOut):
        return _Csv(form, sink)
    return _Ndjson(form, columns, sink) if isinstance(form, NdjsonOut) else _Parquet(form, columns, sink)


def in_arrow(batches: Batches, sql: str) -> str:
    """Give the query whose text `Batches` understands."""
    # The inner columns' names may be anything.
    columns = [f"c{place}" for place in range(len(batches.schema))]
    return f"SELECT {batches.projection(columns)} FROM ({sql}) AS s({', '.join(columns)})"  # noqa: S608 # ours, of a SELECT


class _Csv(Writer):
    """The server's own text."""

    def __init__(self, form: CsvOut, sink: Counted) -> None:
        super().__init__(
            {
                "format": "csv",
                "delimiter": form.delimiter,
                "quote": form.quote,
                "escape": form.escape or form.quote,
                "null": form.null,
                "header": form.header,
                "encoding": form.encoding,
            }
        )
        self._sink, self._out = sink, compressing(sink, form.compression)
        self._quote, self._escape = form.quote.encode(), (form.escape or form.quote).encode()
        self._is_quoted = False
        self._header = int(form.header)

    def query(self, sql: str) -> str:
        """Take it as it is."""
        return sql

    def write(self, block: bytes) -> None:
        """Write it as it is, and count the lines that end outside of quotes."""
        self._out.write(block)
        if self._escape != self._quote:
            block = block.replace(self._escape * 2, b"").replace(self._escape + self._quote, b"")
        lines = 0
        for place, part in enumerate(block.split(self._quote)):
            self._is_quoted ^= place > 0
            lines += 0 if self._is_quoted else part.count(b"\n")
        self.rows += lines - self._header
        self._header = 0

    def finish(self) -> None:
        """Close the compression, if there is one."""
        _close(self._out, self._sink)


class _Ndjson(Writer):
    """The server's objects."""

    def __init__(self, form: NdjsonOut, columns: Sequence[Column], sink: Counted) -> None:
        super().__init__(_NEVER_QUOTED)
        self._sink, self._out = sink, compressing(sink, form.compression)
        # A json keeps the ends of lines that it was given, between its values only.
        self._may_break = any(column.type in _MAY_BREAK for column in columns)

    def query(self, sql: str) -> str:
        """Make an object of each row, in one line."""
        # Without the star, a column called s would be meant.
        line = "pg_catalog.row_to_json(s.*)::text"
        if self._may_break:
            line = f"pg_catalog.translate({line}, pg_catalog.chr(10) || pg_catalog.chr(13), '  ')"
        return f"SELECT {line} FROM ({sql}) AS s"  # noqa: S608 # ours, of a SELECT

    def write(self, block: bytes) -> None:
        """Write it as it is."""
        self._out.write(block)
        self.rows += block.count(b"\n")

    def finish(self) -> None:
        """Close the compression, if there is one."""
        _close(self._out, self._sink)


# A json, or what may have one inside.
_MAY_BREAK: Final = (None, "json", "record")


class _Parquet(Writer):
    """Record batches, as many as make a row group."""

    def __init__(self, form: ParquetOut, columns: Sequence[Column], sink: Counted) -> None:
        super().__init__(IN_ARROW)
        self._batches = Batches(columns)
        self._sink, self._form = sink, form
        self._file: Any = None
        self._waiting: list[pa.RecordBatch] = []

    def query(self, sql: str) -> str:
        """Ask for what a batch can be made of."""
        return in_arrow(self._batches, sql)

    def write(self, block: bytes) -> None:
        """Make a batch, and write a row group if there are enough."""
        batch = self._batches.batch(block)
        self.rows += batch.num_rows
        self._waiting.append(batch)
        rows, size = (sum(getattr(each, what) for each in self._waiting) for what in ("num_rows", "nbytes"))
        if rows >= self._form.group_rows or size >= GROUP_BYTES:
            self._write_group()

    def finish(self) -> None:
        """Write the last row group, and what a Parquet file ends with."""
        self._write_group()
        self._opened().close()
        self._sink.sync()

    def _write_group(self) -> None:
        if self._waiting:
            file = self._opened()
            table = pa.Table.from_batches(self._waiting)
            self._waiting = []
            file.write_table(table, row_group_size=self._form.group_rows)

    def _opened(self) -> Any:
        """Open the file, in the thread: it begins to write at once."""
        if self._file is None:
            opened: Any = pq.ParquetWriter  # whose types know no list of columns
            self._file = opened(
                pa.PythonFile(self._sink, mode="w"),
                self._batches.schema,
                compression=self._form.compression,
                use_dictionary=_repeating(self._waiting[0]) if self._waiting else [],
            )
        return self._file


def _repeating(batch: pa.RecordBatch) -> list[str]:
    """Name the columns for which a dictionary pays; for others it takes most of the time, and makes the file larger."""
    pairs = zip(batch.schema, batch.columns, strict=True)
    return [each.name for each, column in pairs if not pa.types.is_nested(each.type) and _is_repeating(column)]


def _is_repeating(column: pa.Array) -> bool:
    return len(column.unique()) * _PER_VALUE <= len(column)


def _close(out: Any, sink: Counted) -> None:
    if out is not sink:
        out.close()
    sink.sync()
