"""Which of Python's values a column takes, and which PostgreSQL would change without a word.

Pure. A `str` is the text of a value of any type, which the server reads. Refuses: values of another kind than the
column's, even where their text would be one of its values: a number for a date, or bytes for a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from struct import Struct
from typing import Any, Final
from uuid import UUID

from sqlalchemy import types
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from dal.copy.kinds import is_wide
from dal.copy.values import BYTES, Misfit, is_list

_REAL: Final = Struct("f")
_NUMBERS: Final = (int, float, Decimal)

# The first that is of a type decides; a column of any other takes whatever has a text.
_TAKEN: Final[tuple[tuple[type[Any], tuple[type[Any], ...]], ...]] = (
    (types.ARRAY, (list, tuple, Sequence, AbstractSet)),
    (types.Boolean, (bool, int)),
    (types.Integer, _NUMBERS),
    (types.Float, (float, int, Decimal)),
    (types.Numeric, (Decimal, int, float)),
    (types.String, (str,)),
    (types.JSON, (str,)),
    (types.DateTime, (datetime, date)),
    (types.Date, (date,)),
    (types.Time, (time,)),
    (types.Interval, (timedelta,)),
    (postgresql.INTERVAL, (timedelta,)),
    (types.Uuid, (UUID,)),
    (types.LargeBinary, BYTES),
)


def refuse_change(value: Any, kind: TypeEngine[Any]) -> None:
    """Raise `Misfit` for a *value* that is none of a column of *kind*, or would be rounded or cut."""
    if isinstance(value, str):
        return
    taken = _taken_by(type(kind).__mro__)
    if taken is not None and not _is_of(value, taken):
        raise Misfit(f"{type(value).__name__} in the place of {taken[0].__name__}")
    if isinstance(kind, types.ARRAY):
        _refuse_elements(value, kind)
    elif isinstance(value, date | time):
        _refuse_moment(value, kind)
    elif isinstance(kind, types.Numeric) and isinstance(value, Decimal | float):
        _refuse_rounding(Decimal(str(value)), kind)
    elif isinstance(kind, types.Float) and isinstance(value, int):
        _refuse_cut(value, kind)


@lru_cache(maxsize=1000)
def _taken_by(kinds: tuple[type[Any], ...]) -> tuple[type[Any], ...] | None:
    return next((taken for each, taken in _TAKEN if each in kinds), None)


def _is_of(value: Any, taken: tuple[type[Any], ...]) -> bool:
    if isinstance(value, bool):
        return bool in taken
    return isinstance(value, taken) and (list not in taken or is_list(value))


def _refuse_moment(value: date | time, kind: TypeEngine[Any]) -> None:
    if isinstance(value, datetime) and isinstance(kind, types.Date) and value.timetz() != time():
        raise Misfit("a timestamp in the place of a date")
    if not isinstance(kind, types.DateTime | types.Time):
        return
    has_zone = isinstance(value, datetime | time) and value.tzinfo is not None
    is_day = isinstance(value, date) and not isinstance(value, datetime)
    if has_zone is not kind.timezone and not (is_day and not kind.timezone):
        raise Misfit("without a time zone" if kind.timezone else "with a time zone")


def _refuse_rounding(value: Decimal, kind: Any) -> None:
    if kind.precision is None or not value.is_finite():
        return
    exponent = value.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > (kind.scale or 0):
        raise Misfit(
            f"more than the {kind.scale or 0} digits after the point of numeric({kind.precision}, {kind.scale})"
        )


def _refuse_cut(value: int, kind: types.Float[Any]) -> None:
    held: float = value if is_wide(kind) else _REAL.unpack(_REAL.pack(value))[0]
    if float(held) != value:
        raise Misfit(f"a whole number of more digits than {'double precision' if is_wide(kind) else 'a real'} has")


def _refuse_elements(values: Iterable[Any], kind: types.ARRAY[Any]) -> None:
    for each in values:
        if each is not None:
            refuse_change(each, kind if isinstance(each, list | tuple) else kind.item_type)
