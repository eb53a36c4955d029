"""Python's values as Arrow's, for a column of the table: exact, or refused.

Pure. Arrow cuts what does not fit (1.5 to 1 as an integer, a time of its zone), so what it takes is looked at before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from itertools import repeat
from numbers import Integral, Real
from operator import attrgetter, sub
from typing import Any, Final, TypeAlias
from uuid import UUID

import pyarrow as pa
from pyarrow import compute

Make: TypeAlias = Callable[[Any], pa.Array]

# Its functions are made as it is imported, so that nobody knows them.
pc: Final[Any] = compute

# What says that a value is not of a type, here, in Arrow and in SQLAlchemy.
MISFITS: Final = (
    pa.ArrowException, ValueError, TypeError, ArithmeticError, AttributeError, LookupError, RecursionError
)  # fmt: skip

BYTES: Final = (bytes, bytearray, memoryview)

# Up to here every whole number is a real; Arrow looks for what doubles have not.
_REAL_DIGITS: Final = 2**24
_NONE: Final = type(None)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Misfit(ValueError):
    """A value is not what its column takes; the text says what it is, and never the value."""


def is_list(value: Any) -> bool:
    """Tell whether *value* is what an array is made of."""
    return isinstance(value, Sequence | AbstractSet) and not isinstance(value, (str, *BYTES))


def maker_of(target: pa.DataType) -> Make:
    """Give what turns a list of values into an array of *target*, and raises one of `MISFITS` if one does not fit."""
    for is_kind, make in _MAKERS:
        if is_kind(target):
            return lambda values: make(values, target)
    return lambda values: pa.array(values, target)


def narrowed(numbers: pa.Array, target: pa.DataType) -> pa.Array:
    """Make reals of doubles, for a real; raises `Misfit` for one that is too large, or so small that it would be 0."""
    found = numbers.cast(target)
    if target == pa.float32():
        is_lost = pc.or_(_and_not(pc.is_inf, found, numbers), _and_not(_is_zero, found, numbers))
        if pc.any(is_lost).as_py():
            raise Misfit("out of range for real")
    return found


def _and_not(is_it: Callable[[pa.Array], pa.Array], found: pa.Array, numbers: pa.Array) -> pa.Array:
    return pc.and_not(is_it(found), is_it(numbers))


def _is_zero(numbers: pa.Array) -> pa.Array:
    return pc.equal(numbers, pa.scalar(0, numbers.type))


def without_nul(texts: pa.Array) -> pa.Array:
    """Give *texts*; raises `Misfit` for one with a NUL character, which PostgreSQL's have none of."""
    if pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type):
        _, offsets, data = texts.buffers()
        ends = memoryview(offsets).cast("i" if pa.types.is_string(texts.type) else "q")
        start, end = (ends[texts.offset], ends[texts.offset + len(texts)]) if len(texts) else (0, 0)
        has_nul = end > start and b"\0" in data.slice(start, end - start).to_pybytes()
    else:
        has_nul = pc.any(pc.match_substring(texts.cast(pa.large_string()), "\0")).as_py()
    if has_nul:
        raise Misfit("a text with a NUL character, which PostgreSQL has none of")
    return texts


def as_words(given: pa.Array, target: pa.DataType) -> pa.Array:
    """Make texts of Arrow's; raises one of `MISFITS` also for bytes that are no UTF-8: Arrow believes a file."""
    texts = given.cast(target)
    texts.validate(full=True)
    return without_nul(texts)


def _of_kinds(values: Sequence[Any], kinds: tuple[type[Any], ...], but: tuple[type[Any], ...] = ()) -> Sequence[Any]:
    """Refuse what is not of these kinds: Arrow takes whatever has a number, a UUID, too, for one of microseconds."""
    for other in set(map(type, values)).difference(kinds, (_NONE,)):
        if not issubclass(other, kinds) or issubclass(other, but):
            raise Misfit(f"{other.__name__} in the place of {kinds[0].__name__}")
    return values


def _integers(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    try:
        return pa.array(_of_kinds(values, (int, Integral), but=(bool,)), target)
    except Misfit:
        return pa.array([_whole(each) for each in _of_kinds(values, (int, Real), but=(bool,))], target)


def _whole(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if not value.is_integer():
        raise Misfit("a fraction in the place of a whole number")
    return int(value)


def _floats(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    given = _of_kinds(values, (float, Real), but=(bool,))
    if target == pa.float32() and any(abs(int(each)) > _REAL_DIGITS for each in given if isinstance(each, Integral)):
        raise Misfit("a whole number that a real may not have")
    return narrowed(pa.array(given, pa.float64()), target)


def _words(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    """Let Arrow find the type: told one, it would take bytes, which among texts make all of them bytes."""
    found = pa.array(values)
    if found.type not in (target, pa.null()):
        raise Misfit(f"{found.type} in the place of str")
    return without_nul(found.cast(target))


def _moments(values: Sequence[Any], target: Any) -> pa.Array:
    """Count from the epoch, in a quarter of the time that Arrow takes; with a zone from without one is a TypeError."""
    epoch = _EPOCH if target.tz else _EPOCH.replace(tzinfo=None)
    if None in values:
        since = [None if each is None else each - epoch for each in values]
    else:
        since = list(map(sub, values, repeat(epoch)))
    return pa.array(since, pa.duration("us")).view(pa.int64()).view(target)


def _unzoned_times(values: Sequence[Any], target: Any) -> pa.Array:
    given = [each for each in _of_kinds(values, (time,)) if each is not None]
    if set(map(attrgetter("tzinfo"), given)) - {None}:
        raise Misfit("with a time zone")
    return pa.array(values, target)


def _uuids(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    return pa.array([each and each.bytes for each in _of_kinds(values, (UUID,))], target)


def _each_of(*kinds: type[Any], but: type[Any] | None = None) -> Callable[[Sequence[Any], Any], pa.Array]:
    return lambda values, target: pa.array(_of_kinds(values, kinds, (but,) if but else ()), target)


# The first that is of a type decides; all others Arrow makes exactly.
_MAKERS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Sequence[Any], Any], pa.Array]], ...]] = (
    (pa.types.is_integer, _integers),
    (pa.types.is_floating, _floats),
    (pa.types.is_date, _each_of(date, but=datetime)),
    (pa.types.is_timestamp, _moments),
    (pa.types.is_time, _unzoned_times),
    (pa.types.is_duration, _each_of(timedelta)),
    (pa.types.is_fixed_size_binary, _uuids),
    (pa.types.is_string, _words),
    (pa.types.is_binary, _each_of(*BYTES)),
)
