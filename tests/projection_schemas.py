"""Mapped classes drawn at random: tables of a few types, with keys of one or two columns, and foreign keys between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import INET, INT4RANGE, JSONB, Range
from sqlalchemy.orm import DeclarativeBase, RelationshipProperty, relationship

from dal import Database
from tests.projection_types import Money, Shouted

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
_numbers = count(1)

# Types of columns, and what a value is.
TYPES: list[tuple[Any, Callable[[Random, int], Any]]] = [
    (Integer, lambda random, _: random.randint(0, 4)),
    (SmallInteger, lambda random, _: random.randint(0, 4)),
    (Text, lambda random, _: random.choice(["", "a", "é'"])),
    (Boolean, lambda random, _: random.random() < 0.5),
    (Date, lambda random, _: date(2026, 1, random.randint(1, 28))),
    (DateTime(timezone=True), lambda random, _: NOON + timedelta(seconds=random.randint(0, 9))),
    (Numeric(12, 3), lambda random, _: Decimal(random.randint(0, 9999)).scaleb(-3)),
    (Uuid, lambda random, _: UUID(int=random.randint(0, 9))),
    (LargeBinary, lambda random, _: bytes([random.randint(0, 255)])),
    (JSONB(none_as_null=True), lambda random, _: {"a": [random.randint(0, 9), None]}),
    (ARRAY(Integer), lambda random, _: [random.randint(0, 9), None]),
    (INT4RANGE, lambda random, _: Range(random.randint(0, 4), random.randint(5, 9))),
    (INET, lambda random, _: None),
    (Money, lambda random, _: random.randint(0, 999)),
    (Shouted, lambda random, _: random.choice(["A", "BC"])),
]
# Types of keys, and what that of a row is.
KEYS: list[tuple[Any, Callable[[Random, int], Any]]] = [
    (Integer, lambda _, number: number),
    (BigInteger, lambda _, number: 2**40 + number),
    (Text, lambda _, number: f"k{number}"),
    (String(9), lambda _, number: f"é{number}"),
    (Uuid, lambda _, number: UUID(int=number)),
    (Uuid(as_uuid=False), lambda _, number: str(UUID(int=number))),
    (Date, lambda _, number: date(2026, 1, number)),
    (Money, lambda _, number: 100 + number),
]


class Drawn:
    """A few mapped classes of a registry of their own, whose tables have names that no others have."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._number = next(_numbers)

        class Base(DeclarativeBase):
            metadata = MetaData()

        self.base = Base
        self.classes: list[Any] = []
        for _ in range(random.randint(2, 4)):
            self.classes.append(self._class())
        Base.registry.configure()

    async def create(self, db: Database) -> None:
        """Make the tables."""
        async with db.engine.begin() as connection:
            await connection.run_sync(self.base.metadata.create_all, checkfirst=False)

    async def drop(self, db: Database) -> None:
        """Drop them again."""
        async with db.engine.begin() as connection:
            await connection.run_sync(self.base.metadata.drop_all, checkfirst=False)

    def _class(self) -> Any:
        random, place = self._random, len(self.classes)
        name = f"Drawn{self._number}_{place}"
        members: dict[str, Any] = {f"key_{each}": self._key(each) for each in range(random.choice([1, 1, 2]))}
        for number in range(random.randint(1, 4)):
            members[f"value_{number}"] = self._value(random.choice(["{0}", 'odd "{0}" name']).format(number))
        constraints: list[Any] = []
        for number, target in enumerate(random.choices(self.classes, k=random.randint(0, 2)) if self.classes else []):
            constraints += self._reference(members, f"to_{number}", target, name)
        members["__tablename__"] = f"drawn_{self._number}_{place}"
        members["__table_args__"] = tuple(constraints)
        made = type(name, (self.base,), members)
        if self.classes and random.random() < 0.5:
            self._many_to_many(made, random.choice(self.classes))
        return made

    def _key(self, place: int) -> Column[Any]:
        kind, drawn = self._random.choice(KEYS)
        return Column(f"k{place}", kind, primary_key=True, autoincrement=False, info={"drawn": drawn})

    def _value(self, name: str) -> Column[Any]:
        kind, drawn = self._random.choice(TYPES)
        return Column(name, kind, nullable=self._random.random() < 0.5 or kind is INET, info={"drawn": drawn})

    def _reference(self, members: dict[str, Any], name: str, target: Any, owner: str) -> list[Any]:
        """Add a many-to-one, its foreign key, and the way back."""
        keys = list(target.__table__.primary_key)
        is_nullable = self._random.random() < 0.6
        own = [Column(f"{name}_{key.name}", key.type, nullable=is_nullable) for key in keys]
        members.update({column.name: column for column in own})
        members[name] = relationship(target, foreign_keys=own, back_populates=f"{name}_of_{owner}")
        back: RelationshipProperty[Any] = relationship(owner, foreign_keys=own, back_populates=name)
        setattr(target, f"{name}_of_{owner}", back)
        return [ForeignKeyConstraint(own, keys)]

    def _many_to_many(self, one: Any, other: Any) -> None:
        table = Table(f"{one.__tablename__}_and_{other.__tablename__}", self.base.metadata)
        for side, model in (("one", one), ("other", other)):
            keys = list(model.__table__.primary_key)
            own = [Column(f"{side}_{key.name}", key.type, primary_key=True) for key in keys]
            for column in own:
                table.append_column(column)
            table.append_constraint(ForeignKeyConstraint(own, keys))
        one.others = relationship(other, secondary=table)
