"""The books of a load: what was read, sent and rejected.

One bad record ends the load, unless rejects are asked for.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from types import TracebackType
from typing import Final, Self

from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.asked import Asked, Rejecting
from dal.copy.fitting import Fitted
from dal.copy.records import Broken, Records
from dal.copy.rejects import open_rejects
from dal.copy.report import CopyReport, Progress, Rejected
from dal.copy.stream import Piece
from dal.errors import CopyError, DALError, DatabaseError

NOTHING: Final = "Nothing was loaded."
# So many are in the report.
_SHOWN: Final = 100


class Ledger:
    """What is known of one load so far, into the table *target*; *settled* records of it were before.

    `last_record` is the last that was read, `committed` the last that is committed, over the whole source.
    """

    def __init__(self, records: Records, asked: Asked, target: str, settled: int = 0) -> None:
        self.rows = self.sent_bytes = self.rejected = 0
        self.inserted = self.updated = self.skipped = 0
        self.last_record = self.committed = settled
        self.phases: dict[str, float] = {}
        self.rebuilt: dict[str, float] = {}
        self.shown: list[Rejected] = []
        self.rejecting = asked.rejecting
        self._asked, self._is_part = asked, False
        self._rejected: list[Broken] = []
        self._records, self._on_progress = records, asked.on_progress
        self._read_bytes: int | None = None
        self._rejects = open_rejects(asked, records.schema.names, target, settled)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for each in self._rejects:
            each.write(self._rejected)
            each.close()

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

    def commit(self, last_record: int) -> None:
        """Note that all up to there is committed."""
        self.committed = last_record
        self._tell_progress()

    def say_what_stays(self, error: DALError) -> None:
        """Say in an *error* that has ended the load what of it is committed, in the place of `NOTHING`."""
        if not self.committed:
            return
        fate = f"The first {self.committed:,} records are settled and stay."
        match error, error.args:
            case DatabaseError(), _:
                error.add_detail(fate)
            case _, [str(said), *more]:
                error.args = (f"{said.removesuffix(NOTHING).rstrip('. ')}. {fate}", *more)
            case _:
                pass  # one of the source's own

    def report(self, started: float) -> CopyReport:
        """Close the books of a load that began at *started*."""
        return CopyReport(
            self.inserted,
            self.sent_bytes,
            perf_counter() - started,
            self.updated,
            self.skipped,
            self.rejected,
            tuple(self.shown),
            self.phases,
            self.rebuilt,
        )

    def of_part(self) -> Ledger:
        """Open the books of one part, which this one takes when it is settled."""
        rejecting = None if self.rejecting is None else Rejecting(at_most=self.rejecting.at_most)
        asked = replace(self._asked, on_error=rejecting or "abort", on_progress=None)
        part = Ledger(self._records, asked, "")
        part._is_part = True
        return part

    def take(self, part: Ledger) -> None:
        """Note what a part has come to."""
        for name in ("rows", "sent_bytes", "inserted", "updated", "skipped"):
            setattr(self, name, getattr(self, name) + getattr(part, name))
        for name, seconds in part.phases.items():
            self.phases[name] = self.phases.get(name, 0.0) + seconds
        self._read_bytes = part._read_bytes
        self.reject(part._rejected)

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

    async def settle(self, session: AsyncSession) -> None:
        """Keep what was rejected, before it is committed that it was; a part's is kept with the whole's."""
        if self._is_part:
            return
        for each in self._rejects:
            each.write(self._rejected)
            await each.settle(session)
        self._rejected.clear()

    def reject(self, broken: Sequence[Broken]) -> None:
        """Note records that cannot be loaded; raises `CopyError` if there are more than may be."""
        if not broken:
            return
        if self.rejecting is None:
            raise CopyError(f"{described(broken[0])}. {NOTHING}")
        self.rejected += len(broken)
        self.shown += map(_shown, broken[: _SHOWN - len(self.shown)])
        self._rejected += broken
        if self.rejecting.at_most is not None and self.rejected > self.rejecting.at_most:
            raise CopyError(
                f"{self.rejected:,} records were rejected, and at most {self.rejecting.at_most:,} may be: the last is "
                f"{described(broken[-1])}. {NOTHING}"
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
