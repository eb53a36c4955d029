"""Types that rows are read into, of every kind and in every variant, whose annotations are all strings at first."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Required,
    TypeVar,
)

import msgspec
import pydantic
import pydantic.dataclasses
from sqlalchemy import func
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column
from typing_extensions import ReadOnly, TypeAliasType, TypedDict

from dal.projection import Expr, From, Load

if TYPE_CHECKING:
    from decimal import Decimal

DecimalS = NewType("DecimalS", int)
T = TypeVar("T")
U = TypeVar("U")
COUNT = Expr(func.count())
NAME = From("name")
NEWEST = Load(order_by=["created"], limit=3)
Number = NewType("Number", int)
Numbers = NewType("Numbers", list[int])
Text = TypeAliasType("Text", Annotated[str | None, NAME])
Flipped = TypeAliasType("Flipped", dict[U, T], type_params=(T, U))


# One class per variant, with the same three fields: what is written once is checked of them all.
@dataclasses.dataclass
class Plain:
    number: int
    name: str
    note: str | None = "none"


@dataclasses.dataclass(slots=True)
class Slotted:
    number: int
    name: str
    note: str | None = "none"


@dataclasses.dataclass(frozen=True)
class Frozen:
    number: int
    name: str
    note: str | None = "none"


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenSlotted:
    number: int
    name: str
    note: str | None = "none"


@dataclasses.dataclass(kw_only=True)
class KeywordOnly:
    number: int
    note: str | None = "none"
    name: str


@dataclasses.dataclass
class PartlyKeywordOnly:
    name: str
    _: dataclasses.KW_ONLY
    note: str | None = "none"
    number: int


@dataclasses.dataclass
class Numbered:
    number: int


@dataclasses.dataclass
class Inherited(Numbered):
    name: str
    note: str | None = dataclasses.field(default_factory=lambda: "none")


@dataclasses.dataclass
class WithMore:
    kind: ClassVar[str] = "more"
    number: int
    name: str
    seed: dataclasses.InitVar[int] = 0
    note: str | None = "none"
    twice: int = dataclasses.field(init=False)

    def __post_init__(self, seed: int) -> None:
        self.twice = 2 * self.number + seed


@dataclasses.dataclass
class OwnConstructor(Plain):
    number: int
    name: str

    def __init__(self, name: str, number: int, note: str | None = "none") -> None:
        super().__init__(number, name, note)


@dataclasses.dataclass(init=False)
class OpenConstructor:
    number: int
    name: str
    note: str | None = "none"

    def __init__(self, **values: Any) -> None:
        vars(self).update({"note": "none"} | values)


@pydantic.dataclasses.dataclass
class Validated:
    number: int
    name: str
    note: str | None = "none"


class Struct(msgspec.Struct):
    number: int
    name: str
    note: str | None = "none"


class FrozenStruct(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    number: int
    name: str
    note: str | None = "none"


class KeywordStruct(msgspec.Struct, kw_only=True):
    number: int
    note: str | None = msgspec.field(default_factory=lambda: "none")
    name: str


class NumberedStruct(msgspec.Struct, kw_only=True):
    number: int


class InheritedStruct(NumberedStruct):
    name: str
    note: str | None = "none"


class Pair(NamedTuple):
    number: int
    name: str
    note: str | None = "none"


class PairWithMore(Pair):
    __slots__ = ()


class Mapping(TypedDict):
    number: int
    name: str
    note: NotRequired[str | None]


class NumberedMapping(TypedDict, total=False):
    number: Required[ReadOnly[int]]
    note: str | None


class InheritedMapping(NumberedMapping):
    name: ReadOnly[str]


class Model(pydantic.BaseModel):
    number: int
    name: str
    note: str | None = "none"


class FrozenModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")
    number: int
    name: str
    note: str | None = "none"


class NumberedModel(pydantic.BaseModel):
    number: int


class InheritedModel(NumberedModel):
    name: str
    note: str | None = pydantic.Field(default_factory=lambda: "none")


VARIANTS: Final[list[Any]] = [
    Plain,
    Slotted,
    Frozen,
    FrozenSlotted,
    KeywordOnly,
    PartlyKeywordOnly,
    Inherited,
    WithMore,
    OwnConstructor,
    OpenConstructor,
    Validated,
    Struct,
    FrozenStruct,
    KeywordStruct,
    InheritedStruct,
    Pair,
    PairWithMore,
    Mapping,
    InheritedMapping,
    Model,
    FrozenModel,
    InheritedModel,
]


# pydantic's own ways of naming.
class Aliased(pydantic.BaseModel):
    number: int = pydantic.Field(alias="no")
    name: str = pydantic.Field(validation_alias=pydantic.AliasChoices("title", pydantic.AliasPath("names", 0)))
    note: str | None = "none"


@pydantic.dataclasses.dataclass(config=pydantic.ConfigDict(strict=True))
class AliasedStrict:
    number: int = pydantic.Field(alias="no")
    name: str = pydantic.Field(default="name")
    kind: str = pydantic.Field(default="strict", init=False)


@dataclasses.dataclass
class BelowValidated(Validated):
    more: str = "more"


class Crossed(pydantic.BaseModel):
    number: int = pydantic.Field(alias="other")
    other: int


class Settings(pydantic.BaseModel):
    dark_mode: bool = pydantic.Field(alias="darkMode")


class User(pydantic.BaseModel):
    number: int = pydantic.Field(alias="no")
    settings: Settings


class Counted(pydantic.BaseModel):
    number: int

    @pydantic.field_validator("number")
    @classmethod
    def _count(cls, number: int) -> int:
        VALIDATED.append(number)
        return number


class Holder(pydantic.BaseModel):
    one: Counted
    several: list[Counted]
    plain: Plain | None = None


VALIDATED: list[int] = []


class Whole(pydantic.BaseModel):
    low: int
    high: dict[str, int]

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> Whole:
        if self.low > 10:
            raise ValueError(f"{self.low} is secret")
        return self


@dataclasses.dataclass
class Picky:
    number: int

    def __post_init__(self) -> None:
        raise LookupError(self.number)


# What annotations say.
@dataclasses.dataclass
class Hinted:
    plain: int
    optional: Optional[int]  # noqa: UP045 # the old spelling
    number: Number
    numbers: Numbers
    text: Text
    final: Final[str]
    flipped: Flipped[int, str]
    anything: Any
    something: object
    counted: Annotated[int, COUNT, "a remark"]
    newest: Annotated[list[Plain] | None, NEWEST]
    inside: Annotated[list[Plain], NEWEST] | None
    whole: Plain | None
    listed: list[Annotated[Plain, "a remark"]]
    sequence: Sequence[Plain]
    collected: Collection[Plain]
    iterated: Iterable[Plain]
    unique: set[FrozenStruct]
    fixed: frozenset[Frozen]
    tupled: tuple[Plain, ...]
    pair: tuple[int, str]
    bare: list  # type: ignore[type-arg] # that is the point
    choice: Annotated[int | str, NAME]
    map: Annotated[dict[str, Plain], NAME]
    deep: Annotated[list[list[Plain]], NAME]


class MarkedModel(pydantic.BaseModel):
    total: Annotated[int, COUNT, pydantic.Field(gt=0)]
    name: Annotated[str, NAME] | None = None
    parts: Annotated[list[Model], NEWEST] = []


class MarkedModelBelow(MarkedModel):
    more: int = 0


class MarkedStruct(msgspec.Struct):
    total: Annotated[int, COUNT, msgspec.Meta(gt=0)]
    name: Annotated[str, NAME] | None
    parts: Annotated[list[Struct], NEWEST]


class MarkedPair(NamedTuple):
    total: Annotated[int, COUNT]
    name: Annotated[str, NAME] | None
    parts: Annotated[list[Struct], NEWEST]


class MarkedMapping(TypedDict):
    total: Annotated[int, COUNT]
    name: NotRequired[ReadOnly[Annotated[str, NAME] | None]]
    parts: Annotated[Required[list[Struct]], NEWEST]


MARKED: Final[list[Any]] = [MarkedModel, MarkedModelBelow, MarkedStruct, MarkedPair, MarkedMapping]


# What is refused.
class Entities(MappedAsDataclass, DeclarativeBase):
    pass


class Entity(Entities):
    __tablename__ = "entity"
    number: Mapped[int] = mapped_column(primary_key=True)


@dataclasses.dataclass
class Box(Generic[T]):
    value: T


class ModelBox(pydantic.BaseModel, Generic[T]):
    value: T


class Bare(msgspec.Struct):
    pass


@dataclasses.dataclass
class Absent:
    decimals: list[DecimalS]
    number: int
    total: Decimal


class AbsentModel(pydantic.BaseModel):
    number: int
    total: list[Nowhere]  # type: ignore[name-defined] # noqa: F821 # it is nowhere


class AbsentStruct(msgspec.Struct):
    total: msgspec.Nowhere  # type: ignore[name-defined] # it is not there


AbsentAlias = TypeAliasType("AbsentAlias", "list[Nowhere]")  # type: ignore[name-defined] # noqa: F821 # it is nowhere


@dataclasses.dataclass
class AbsentInside:
    totals: AbsentAlias


@dataclasses.dataclass
class Seeded:
    number: int
    seed: dataclasses.InitVar[int]


@dataclasses.dataclass
class SetOfPlain:
    parts: set[Plain]


@dataclasses.dataclass
class SetOfStructs:
    parts: frozenset[Struct]


@dataclasses.dataclass
class SetOfMappings:
    parts: set[Mapping]


@dataclasses.dataclass
class SetOfModels:
    parts: set[Model]


@dataclasses.dataclass
class SetOfLists:
    parts: set[list[int]]


@dataclasses.dataclass
class Either:
    part: Plain | Struct | None


@dataclasses.dataclass
class ByName:
    parts: dict[str, Plain]


@dataclasses.dataclass
class Nested:
    parts: list[list[Plain]]


@dataclasses.dataclass
class Holes:
    parts: list[Plain | None]


@dataclasses.dataclass
class Boxed:
    part: Box[int]


@dataclasses.dataclass
class TwoSources:
    number: Annotated[int, COUNT, NAME]


@dataclasses.dataclass
class TwoLoads:
    parts: Annotated[list[Plain], NEWEST, Load()]


@dataclasses.dataclass
class LoadOfOne:
    part: Annotated[Plain, NEWEST]


@dataclasses.dataclass
class MarkerInside:
    parts: list[Annotated[Plain, NEWEST]]


@dataclasses.dataclass
class MarkerClass:
    number: Annotated[int, Expr]


@dataclasses.dataclass
class Node:
    children: list[Node]


class Parent(msgspec.Struct):
    number: int
    friend: Friend | None


class Friend(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    parents: tuple[Parent, ...]


@dataclasses.dataclass
class Above:
    node: Node


@dataclasses.dataclass
class AsDocument:
    node: Annotated[AsDocument | None, NAME]
