"""Types to read rows into, as nobody would write them: a `ProjectionError`, or a plan."""

from __future__ import annotations

import dataclasses
import keyword
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, ForwardRef, Literal, NamedTuple, Optional, TypedDict, Union
from uuid import UUID

import msgspec
import pydantic
from sqlalchemy import func, literal_column

from dal.errors import ProjectionError
from dal.projection import Expr, From, Load, check_projections
from tests.faults.hostile.drawing import Draw
from tests.faults.hostile.part import Part
from tests.faults.hostile.words import NAMES
from tests.models import Account, Entry, Everything


class _Slot(NamedTuple):
    id: int


@dataclasses.dataclass
class _Own:
    id: int


_HINTS: Final[list[Any]] = [
    int, str, bytes, bool, float, Decimal, date, datetime, UUID, Any, object, None, type(None), list, dict, set, tuple, type, Exception,
    list[int], list[Any], list[_Own], tuple[int, ...], tuple[int, str], tuple[()], set[_Own], frozenset[str], dict[str, _Own],
    Optional[int], Union[int, str], Optional[_Own], Union[_Own, _Slot], _Own, _Slot, Account, list[Account], Sequence[_Own], Mapping[str, int],
    ClassVar[int], Literal["a"], Literal[1, None], Callable[[int], str], "int", "nope", "1 +", "\0", "list[", ForwardRef("nope"),
    Annotated[int, From(Account.id)], Annotated[int, From(Account.id), From(Account.id)], Annotated[str, From], Annotated[int, Expr(func.count())],
    Annotated[str, Expr(literal_column("'; DROP TABLE vault.canary; --"))], Annotated[list[_Own], Load(limit=1)], Annotated[int, Load(limit=1)],
    Annotated[int, From(Entry.account, Account.id)], Annotated[_Own, From(Entry.account)], Annotated[int, From(Entry.account)],
    Annotated[list[int], "noise"], list[ForwardRef("nope")], list[list[list[_Own]]], type[int],  # type: ignore[misc] # as nobody would write
]  # fmt: skip
_FIELDS: Final = [
    "id",
    "owner",
    "balance",
    "account",
    "account_id",
    "note",
    "small",
    "mood",
    "document",
    "lapse",
    "raw",
]


def _pydantic(fields: dict[str, Any]) -> Any:
    made: Any = {name: (hint, ...) for name, hint in fields.items()}
    return pydantic.create_model("Made", **made)


# By those before the last the names must be words of Python's.
_WAYS: Final[Sequence[Callable[[dict[str, Any]], Any]]] = (
    lambda fields: dataclasses.make_dataclass("Made", list(fields.items())),
    lambda fields: msgspec.defstruct("Made", list(fields.items())),
    _pydantic,
    lambda fields: _named_tuple("Made", list(fields.items())),
    lambda fields: type("Made", (), {"__annotations__": fields}),
    lambda fields: _typed_dict("Made", fields),
)
_OF_ANY_NAME: Final = len(_WAYS) - 1
# Type checkers want what is written out.
_named_tuple: Any = NamedTuple
_typed_dict: Any = TypedDict


def check_type(data: bytes) -> None:
    """Make a type by one of the ways, and plan how it is read of a class."""
    draw = Draw(data)
    fields = [
        (draw.one_of(_FIELDS) if draw.flag() else draw.text(NAMES), draw.one_of(_HINTS)) for _ in range(draw.under(5))
    ]
    try:
        made = _made(draw, dict(fields))
    except Exception:  # what Python and the others refuse as a class never comes to dal
        return
    with suppress(ProjectionError):
        check_projections(draw.one_of([Account, Entry, Everything]), made)


def _made(draw: Draw, fields: dict[str, Any]) -> Any:
    way = draw.under(len(_WAYS) + 1)
    if way < _OF_ANY_NAME and any(not name.isidentifier() or keyword.iskeyword(name) for name in fields):
        way = _OF_ANY_NAME
    return draw.one_of(_HINTS) if way == len(_WAYS) else _WAYS[way](fields)


PARTS: Final = [Part("type", check_type, 1)]
