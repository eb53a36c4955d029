"""The records of a chunk, fitted to the table's columns; and those that do not fit, for the server or for nobody.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias

import pyarrow as pa
from sqlalchemy.types import NullType

from dal.copy.kinds import spelt
from dal.copy.plan import CopyPlan, Slot
from dal.copy.records import Broken, Chunk
from dal.copy.texts import text_of
from dal.copy.values import MISFITS, Make, Misfit, pc

# An array, or a list of Python's values.
Column: TypeAlias = Any


class Odd(NamedTuple):
    """A record that is not of the form that is read here: the server is asked, by `texts`, in the plan's order."""

    number: int
    texts: tuple[str | None, ...]


_NONE: Final[list[Odd]] = []


@dataclass(frozen=True, slots=True)
class Fitted:
    """A chunk, with the records that fit in `batch`, called and ordered as the plan's; `numbers` are theirs."""

    batch: pa.RecordBatch
    numbers: Sequence[int]
    odd: Sequence[Odd]
    broken: Sequence[Broken]
    end_bytes: int | None


def fitted(plan: CopyPlan, chunk: Chunk) -> Fitted:
    """Fit a chunk; costs no more than one pass for each column where every record fits."""
    given: list[Column] = chunk.batch if isinstance(chunk.batch, list) else list(chunk.batch.columns)
    made = [_made(slot.make, column) for slot, column in zip(plan.slots, given, strict=True)]
    arrays, numbers, odd, broken = made, chunk.numbers, _NONE, list(chunk.broken)
    if any(each is None for each in made):
        misfits = _misfits(plan, given, made)
        odd, unfit = _judged(plan, given, chunk.numbers, misfits)
        broken += unfit
        kept = [index for index in range(len(numbers)) if index not in misfits]
        arrays = [
            slot.make(_taken(column, kept)) if array is None else array.take(pa.array(kept, pa.int32()))
            for slot, column, array in zip(plan.slots, given, made, strict=True)
        ]
        numbers = [numbers[index] for index in kept]
    batch = pa.RecordBatch.from_arrays(arrays, names=[slot.column.name for slot in plan.slots])
    return Fitted(_with_defaults(plan, batch), numbers, odd, broken, chunk.end_bytes)


def _made(make: Make, column: Column) -> pa.Array | None:
    try:
        return make(column)
    except MISFITS:
        return None


def _misfits(plan: CopyPlan, given: Sequence[Column], made: Sequence[Any]) -> dict[int, Slot]:
    """Find the records of which nothing is made, and the column of each because of which it is none: a final one."""
    found: dict[int, Slot] = {}
    for slot, column, array in zip(plan.slots, given, made, strict=True):
        for index in () if array is not None else _misfits_in(slot, column):
            if slot.is_final or index not in found:
                found[index] = slot
    return found


def _misfits_in(slot: Slot, column: Column) -> Iterable[int]:
    """Find those that do not look right at once, where values have a look, and the others by halving."""
    if slot.look is None:
        return _misfits_of(slot.make, column, 0, len(column))
    looks = pc.coalesce(pc.match_substring_regex(column, slot.look), pa.scalar(value=True))
    right = pc.indices_nonzero(looks)
    rest = column.take(right)
    odd = [] if _made(slot.make, rest) is not None else _misfits_of(slot.make, rest, 0, len(rest))
    return [*pc.indices_nonzero(pc.invert(looks)).to_pylist(), *(right[at].as_py() for at in odd)]


def _misfits_of(make: Make, column: Column, start: int, end: int) -> Iterable[int]:
    """Find them by halving: there are few."""
    if end - start == 1:
        yield start
        return
    middle = (start + end) // 2
    for low, high in ((start, middle), (middle, end)):
        if _made(make, column[low:high]) is None:
            yield from _misfits_of(make, column, low, high)


def _taken(column: Column, kept: Sequence[int]) -> Column:
    if isinstance(column, list):
        return [column[index] for index in kept]
    return column.take(pa.array(kept, pa.int32()))


def _judged(
    plan: CopyPlan, given: Sequence[Column], numbers: Sequence[int], misfits: Mapping[int, Slot]
) -> tuple[list[Odd], list[Broken]]:
    """Tell those of which the server may make something from those whose values it would change."""
    odd, broken = [], []
    for index in sorted(misfits):
        number, fields = numbers[index], {}
        texts: list[str | None] = []
        own = misfits[index]
        fault: tuple[Slot, Exception] | None = (own, _misfit(own)) if own.is_final else None
        for slot, column in zip(plan.slots, given, strict=True):
            try:
                value = column[index] if isinstance(column, list) else column[index].as_py()
                fields[slot.source] = shown(value)
                texts.append(slot.text(value))
                if isinstance(value, Enum):
                    fields[slot.source] = texts[-1]  # the label or the value, as the column has it
            except MISFITS as error:
                fault = fault or (slot, error)
                fields.setdefault(slot.source, None)  # of bytes that are no text
        if fault is None:
            odd.append(Odd(number, (*texts, *_default_texts(plan, texts))))
        else:
            broken.append(_broken(number, fields, *fault))
    return odd, broken


def _default_texts(plan: CopyPlan, texts: Sequence[str | None]) -> list[str | None]:
    if not plan.defaults:
        return []
    names = [slot.column.name for slot in plan.slots]
    one = pa.RecordBatch.from_arrays([pa.array([each], pa.string()) for each in texts], names=names)
    return [each.slot.text(each.generate(one)[0]) for each in plan.defaults]


def _misfit(slot: Slot) -> Misfit:
    return Misfit(f"a value that does not fit {spelt(slot.column)}")


def _broken(number: int, fields: Mapping[str, str | None], slot: Slot, error: Exception) -> Broken:
    reason = str(error if isinstance(error, Misfit) else _misfit(slot))
    return Broken(number, reason, fields, column=slot.column.name)


def shown(value: Any) -> str | None:
    """Give the text of a value for a reject file: what PostgreSQL reads it from, if there is such a text."""
    if isinstance(value, Enum):
        return str(value.name)
    try:
        return text_of(value, NullType())
    except (Misfit, RecursionError):
        return _printed(value)


def _printed(value: Any) -> str:
    try:
        return repr(value)
    except RecursionError:
        return f"a {type(value).__name__} that is nested too deeply"


def _with_defaults(plan: CopyPlan, batch: pa.RecordBatch) -> pa.RecordBatch:
    for default in plan.defaults:
        array = default.slot.make(default.generate(batch))
        batch = batch.append_column(default.slot.column.name, array)
    return batch
