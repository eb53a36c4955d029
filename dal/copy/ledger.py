"""The books of a load: what was read, sent and rejected; and the files of the rejected.

One bad record ends the load, unless rejects are asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
from pyarrow import csv as arrow_csv

from dal.copy.asked import Rejecting
from dal.copy.fitting import Fitted
from dal.copy.records import Broken, Records
from dal.copy.report import OnProgress, Progress, Rejected
from dal.copy.stream import Piece
from dal.errors import CopyError

NOTHING: Final = "Nothing was loaded."
# So many are in the report.
_SHOWN: Final = 100


class Ledger:
    """What is known of one load so far."""

    def __init__(self, records: Records, rejecting: Rejecting | None, on_progress: OnProgress | None) -> None:
        self.rows = self.sent_bytes = self.rejected = 0
        self.inserted = self.updated = self.skipped = 0
        self.last_record = self.committed = 0
        self.phases: dict[str, float] = {}
        self.shown: list[Rejected] = []
        self.rejecting = rejecting
        self._records, self._on_progress = records, on_progress
        self._read_bytes: int | None = None
        self._files = ExitStack()
        self._sink: _Sink | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._files.close()

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        """Add the block's time to a phase."""
        started = perf_counter()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + perf_counter() - started

    def tell(self, piece: Piece) -> None:
        """Note what was sent."""
        self.sent_bytes += len(piece.data)
        if piece.fitted is not None:
            self.reject(piece.fitted.broken)
            self.rows += len(piece.fitted.numbers)
            self.last_record = max(self.last_record, _last_of(piece.fitted))
            self._read_bytes = piece.fitted.end_bytes
        if piece.is_end or piece.fitted is not None:
            self._tell_progress()

    def commit(self) -> None:
        """Note that all up to here is committed."""
        self.committed = self.last_record
        self._tell_progress()

    @property
    def fate(self) -> str:
        """What becomes of the records if the load fails now."""
        return f"The first {self.committed:,} records are settled and stay." if self.committed else NOTHING

    def _tell_progress(self) -> None:
        if self._on_progress is not None:
            progress = Progress(
                self.rows,
                self._records.total_rows,
                self.sent_bytes,
                self.rejected,
                self._read_bytes,
                self._records.total_bytes,
                self.committed,
            )
            self._on_progress(progress)

    def flush(self) -> None:
        """Bring what is rejected to the files, before it is committed that it was."""
        if self._sink is not None:
            self._sink.flush()

    def reject(self, broken: Sequence[Broken]) -> None:
        """Note records that cannot be loaded; raises `CopyError` if there are more than may be."""
        if not broken:
            return
        if self.rejecting is None:
            raise CopyError(f"{described(broken[0])}. {self.fate}")
        self.rejected += len(broken)
        self.shown += map(_shown, broken[: _SHOWN - len(self.shown)])
        if self.rejecting.to is not None:
            if self._sink is None:
                self._sink = self._files.enter_context(_Sink(self.rejecting.to, self._records.schema.names))
            self._sink.write(broken)
        if self.rejecting.at_most is not None and self.rejected > self.rejecting.at_most:
            raise CopyError(
                f"{self.rejected:,} records were rejected, and at most {self.rejecting.at_most:,} may be: the last is "
                f"{described(broken[-1])}. {self.fate}"
            )


def _last_of(fitted: Fitted) -> int:
    last = [fitted.numbers[-1]] if len(fitted.numbers) else []
    others = [each.number for each in fitted.odd] + [each.number for each in fitted.broken]
    return max(last + others, default=0)


def described(broken: Broken) -> str:
    """Name a record, what is wrong with it, and where; never its value."""
    column = "" if broken.column is None else f", column {broken.column!r}"
    constraint = "" if broken.constraint is None else f" (constraint {broken.constraint!r})"
    return f"record {broken.number:,}{column}: {_without_values(broken)}{constraint}"


def _without_values(broken: Broken) -> str:
    # The server's words for class 22 hold the value.
    if broken.sqlstate is not None and broken.sqlstate.startswith("22"):
        return f"the server takes it for no value of its column (SQLSTATE {broken.sqlstate})"
    return broken.reason


def _shown(broken: Broken) -> Rejected:
    return Rejected(broken.number, broken.reason, broken.column, broken.constraint, broken.sqlstate)


class _Sink:
    """The two files of the rejected: one in the source's form, to mend and load again, and one of the reasons."""

    def __init__(self, to: str | os.PathLike[str], names: Sequence[str]) -> None:
        self._path, self._names = Path(to), list(names)
        if self._path.suffix not in (".csv", ".tsv", ".ndjson", ".jsonl"):
            raise CopyError(f"rejected records are written to .csv, .tsv or .ndjson, not to {self._path.name!r}.")
        self._files = ExitStack()

    def __enter__(self) -> Self:
        self._records = self._files.enter_context(self._path.open("wb"))
        reasons = self._path.with_name(f"{self._path.name}.reasons.ndjson")
        self._reasons = self._files.enter_context(reasons.open("w", encoding="utf-8"))
        if not self._is_json:
            self._write_fields([dict.fromkeys(self._names)], header=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._files.close()

    @property
    def _is_json(self) -> bool:
        return self._path.suffix not in (".csv", ".tsv")

    def flush(self) -> None:
        """Bring all to the disk."""
        self._records.flush()
        self._reasons.flush()

    def write(self, broken: Iterable[Broken]) -> None:
        """Write them, with their reasons."""
        for each in broken:
            if each.fields is None:
                self._records.write((each.line or "").rstrip("\r\n").encode() + b"\n")
            elif self._is_json:
                self._records.write(json.dumps(dict(each.fields), ensure_ascii=False).encode() + b"\n")
            else:
                self._write_fields([each.fields])
            self._reasons.write(json.dumps(_reason(each), ensure_ascii=False) + "\n")

    def _write_fields(self, records: Sequence[Mapping[str, str | None]], *, header: bool = False) -> None:
        """Write CSV as COPY has it: an empty text is "", and NULL an empty field."""
        columns = {name: pa.array([each.get(name) for each in records], pa.string()) for name in self._names}
        delimiter = "\t" if self._path.suffix == ".tsv" else ","
        table = pa.table(columns).slice(1 if header else 0)
        arrow_csv.write_csv(table, self._records, arrow_csv.WriteOptions(include_header=header, delimiter=delimiter))


def _reason(each: Broken) -> dict[str, Any]:
    return {
        "record": each.number,
        "reason": each.reason,
        "column": each.column,
        "constraint": each.constraint,
        "sqlstate": each.sqlstate,
    }
