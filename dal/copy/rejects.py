"""Where the records go that are rejected: two files, or a table.

Refuses: deciding what is rejected.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Table, Text, func, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.asked import Asked, Rejecting
from dal.copy.making import make
from dal.copy.records import Broken
from dal.copy.reject_form import RejectForm, form_of_rejects
from dal.errors import CopyError


class Rejects(Protocol):
    """Something that keeps what is rejected."""

    def write(self, broken: Sequence[Broken]) -> None:
        """Take records."""

    async def settle(self, session: AsyncSession) -> None:
        """Keep them for good, in the transaction that settles the others."""

    def close(self) -> None:
        """End it."""


def open_rejects(asked: Asked, names: Sequence[str], target: str, settled: int) -> list[Rejects]:
    """Open what is asked for; a load that goes on behind the record *settled* goes on with its files, too."""
    found: list[Rejects] = []
    rejecting = asked.rejecting
    if rejecting is not None and rejecting.table is not None:
        found.append(_RejectTable(rejecting.table, target, asked.resume))
    if rejecting is not None and rejecting.to is not None:
        path = Path(rejecting.to)
        found.append(_RejectFiles(path, form_of_rejects(path, asked.form, names), settled))
    return found


def reasons_of(path: Path) -> Path:
    """Name the file of the reasons."""
    return path.with_name(f"{path.name}.reasons.ndjson")


def refuse_to_overwrite(rejecting: Rejecting | None, sources: Sequence[Path]) -> None:
    """Raise `CopyError` if a file of rejects is one of those that are loaded."""
    to = None if rejecting is None or rejecting.to is None else Path(rejecting.to)
    for path in () if to is None else (to, reasons_of(to)):
        if _is_one_of(path, sources):
            raise CopyError(f"rejected records would overwrite {path}, which is loaded: give another name.")


def _is_one_of(path: Path, sources: Sequence[Path]) -> bool:
    try:
        return path.exists() and any(each.exists() and path.samefile(each) for each in sources)
    except OSError as error:  # its name is too long, for one
        said = (error.strerror or type(error).__name__).lower()
        raise CopyError(f"rejected records cannot be written to {path}: {said}. Nothing was loaded.") from error


class _RejectFiles:
    """The two files of the rejected: one in the source's form, to mend and load again, and one of the reasons.

    A reason says where its record ends in the other file, so that both can be cut to what was settled.
    """

    def __init__(self, path: Path, form: RejectForm, settled: int) -> None:
        self._form = form
        reasons = reasons_of(path)
        record_bytes, reason_bytes = _settled_bytes(reasons, settled)
        with ExitStack() as stack:
            self._records = stack.enter_context(_open_at(path, record_bytes))
            self._reasons = stack.enter_context(_open_at(reasons, reason_bytes))
            self._files = stack.pop_all()
        if not record_bytes:
            self._records.write(form.begin())

    def write(self, broken: Sequence[Broken]) -> None:
        """Write them, with their reasons."""
        for each in broken:
            self._records.write(self._form.record(each))
            reason = _reason(each) | {"end_bytes": self._records.tell()}
            self._reasons.write(json.dumps(reason).encode() + b"\n")

    async def settle(self, session: AsyncSession) -> None:
        """Bring all to the disk, before it is committed that it was rejected."""
        for file in (self._records, self._reasons):
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close both."""
        self._files.close()


def _settled_bytes(reasons: Path, settled: int) -> tuple[int, int]:
    """Tell how much of both files is settled: what follows was of a part that came to nothing."""
    record_bytes = reason_bytes = 0
    if settled and reasons.exists():
        for line in reasons.read_bytes().splitlines(keepends=True):
            known = _known(line)
            if known is None or known[0] > settled:
                break
            record_bytes, reason_bytes = known[1], reason_bytes + len(line)
    return record_bytes, reason_bytes


def _known(line: bytes) -> tuple[int, int] | None:
    """Read the record and the `end_bytes` of a reason; None if it was cut off in the middle, or is no reason."""
    try:
        found: Any = json.loads(line)
        record, end_bytes = found["record"], found["end_bytes"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    is_reason = type(record) is int and type(end_bytes) is int and record > 0 and end_bytes >= 0
    return (record, end_bytes) if is_reason and line.endswith(b"\n") else None


def _open_at(path: Path, size: int) -> BinaryIO:
    """Open a file behind its first *size* bytes; the rest of it is gone."""
    try:
        file = path.open("r+b" if size else "wb")
    except OSError as error:
        said = (error.strerror or type(error).__name__).lower()
        raise CopyError(f"rejected records cannot be written to {path}: {said}. Nothing was loaded.") from error
    if file.seek(0, os.SEEK_END) < size:
        file.close()
        raise CopyError(
            f"{path} is shorter than what was rejected before the load was ended: put it back, or give another name."
        )
    file.seek(size)
    file.truncate()
    return file


class _RejectTable:
    """A table of what was rejected, made if it is not there; it is written in the transaction of the load."""

    def __init__(self, name: str, target: str, load: str | None) -> None:
        schema, _, own = name.rpartition(".")
        self._own = {"target": target, "load": load}
        self._table = Table(own, MetaData(), *_columns(), schema=schema or None)
        self._broken: list[Broken] = []

    def write(self, broken: Sequence[Broken]) -> None:
        """Keep them in memory until they are settled."""
        self._broken += broken

    async def settle(self, session: AsyncSession) -> None:
        """Insert them; the table is made with the first."""
        if self._broken:
            await make(session, self._table)
            await session.execute(insert(self._table), [_row(each) | self._own for each in self._broken])
        self._broken.clear()

    def close(self) -> None:
        """Forget what was not settled."""
        self._broken.clear()


def _columns() -> list[Column[Any]]:
    return [
        Column("target", Text, nullable=False),
        Column("load", Text),
        Column("record", BigInteger, nullable=False),
        Column("reason", Text, nullable=False),
        Column("column", Text),
        Column("constraint", Text),
        Column("sqlstate", Text),
        Column("fields", JSONB(none_as_null=True)),
        Column("line", Text),
        Column("rejected_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
    ]


def _row(each: Broken) -> dict[str, Any]:
    fields = None if each.fields is None else {name: _storable(text) for name, text in each.fields.items()}
    line = _storable(each.line)
    return _reason(each) | {"reason": _storable(each.reason), "fields": fields, "line": line}


def _storable(text: str | None) -> str | None:
    """Say a text as the server can store it: what is no character, and NUL, by its escape."""
    if text is None:
        return None
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def _reason(each: Broken) -> dict[str, Any]:
    return {
        "record": each.number,
        "reason": each.reason,
        "column": each.column,
        "constraint": each.constraint,
        "sqlstate": each.sqlstate,
    }
