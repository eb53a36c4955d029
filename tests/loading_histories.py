"""What may happen to entities in a session before their relationships are read: drawn at random, done in any session.

A history is data, so that it can be done in two sessions and be shown when they differ. A step that finds nobody to
happen to does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final, TypeAlias

from sqlalchemy import inspect, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    Session,
    defer,
    joinedload,
    lazyload,
    load_only,
    selectinload,
    undefer,
    with_loader_criteria,
)

from tests.loading_models import Box, Club, Company, Letter, Passport, Person, Pet, Place, Staff, Thing, Vehicle
from tests.projection_rows import Rows

Key: TypeAlias = tuple[str, tuple[Any, ...]]
Step: TypeAlias = tuple[Any, ...]

OPTIONS: Final[dict[type[Any], dict[str, Callable[[], Any]]]] = {
    Person: {
        "load_only": lambda: load_only(Person.name),
        "undefer": lambda: undefer(Person.note),
        "defer the foreign key": lambda: defer(Person.place_id),
        "joined boss": lambda: joinedload(Person.boss),
        "joined pets": lambda: joinedload(Person.pets),
        "clubs and members": lambda: selectinload(Person.clubs).selectinload(Club.members),
        "pets' name": lambda: selectinload(Person.pets).load_only(Pet.name),
        "some pets": lambda: lazyload(Person.pets.and_(Pet.weight > 1)),
        "some bosses": lambda: lazyload(Person.boss.and_(Person.name > "")),
        "some reports": lambda: lazyload(Person.reports.and_(Person.name > "A")),
        "heavy pets everywhere": lambda: with_loader_criteria(Pet, Pet.weight > 1),
        "named people everywhere": lambda: with_loader_criteria(Person, Person.name > ""),
    },
    Pet: {
        "defer the foreign key": lambda: defer(Pet.owner_id),
        "joined owner": lambda: joinedload(Pet.owner),
        "owner and pets": lambda: joinedload(Pet.owner).selectinload(Person.pets),
        "some owners": lambda: lazyload(Pet.owner.and_(Person.name > "")),
        "named people everywhere": lambda: with_loader_criteria(Person, Person.name > ""),
        "owner's name": lambda: joinedload(Pet.owner).load_only(Person.name),
    },
    Club: {"some members": lambda: lazyload(Club.members.and_(Person.name > ""))},
    Thing: {"joined box": lambda: joinedload(Thing.box), "load_only": lambda: load_only(Thing.id)},
    Company: {"staff": lambda: selectinload(Company.staff), "cars": lambda: selectinload(Company.cars)},
    Staff: {"driven": lambda: selectinload(Staff.driven)},
}
CLASSES: Final = [Person, Pet, Place, Passport, Club, Letter, Box, Thing, Company, Staff, Vehicle]
# Of an entity, what may be set, and of which class the other one is.
REFERENCES: Final[list[tuple[type[Any], str, type[Any]]]] = [
    (Pet, "owner", Person),
    (Person, "boss", Person),
    (Person, "place", Place),
    (Passport, "person", Person),
    (Letter, "writer", Person),
    (Thing, "box", Box),
    (Staff, "company", Company),
    (Vehicle, "driver", Staff),
]
COLLECTIONS: Final[list[tuple[type[Any], str, type[Any]]]] = [
    (Person, "pets", Pet),
    (Person, "clubs", Club),
    (Club, "members", Person),
    (Person, "reports", Person),
    (Box, "things", Thing),
]
FOREIGN_KEYS: Final[list[tuple[type[Any], str, type[Any]]]] = [
    (Pet, "owner_id", Person),
    (Person, "boss_id", Person),
    (Person, "place_id", Place),
    (Staff, "company_id", Company),
    (Vehicle, "driver_id", Staff),
]
VALUES: Final[list[tuple[type[Any], str, list[Any]]]] = [
    (Person, "name", ["", "a", "new"]),
    (Person, "note", ["new"]),
    (Pet, "weight", [0, 5]),
    (Pet, "name", ["a", ""]),
    (Box, "label", ["new"]),
]


def key_of(entity: Any) -> Key:
    """Name an entity by what is the same in every session."""
    mapper = inspect(entity).mapper
    identity = inspect(entity).identity or tuple(mapper.primary_key_from_instance(entity))
    return mapper.base_mapper.class_.__name__, tuple(identity)


class Side:
    """One session, and all the entities that were ever seen in it."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.held: dict[Key, Any] = {}

    async def do(self, step: Step) -> None:
        """Do one step."""
        name, *arguments = step
        await self.session.run_sync(lambda session: getattr(self, f"_{name}")(session, *arguments))
        self.hold()

    def hold(self) -> None:
        """Hold what came into the session."""
        for entity in list(self.session.sync_session.identity_map.values()):
            self.held.setdefault(key_of(entity), entity)

    def of(self, key: Key | None) -> Any:
        """Give the entity if it is there and in the session."""
        entity = self.held.get(key) if key else None
        return entity if entity is not None and entity in self.session.sync_session else None

    def _read(self, session: Session, model: Any, some: bool, options: list[str], populate: bool) -> None:  # noqa: FBT001 # data
        statement = select(model).options(*(OPTIONS[model][name]() for name in options))
        column = inspect(model).primary_key[-1]
        if some:
            statement = statement.where(column % 2 == 1)
        given = session.scalars(statement, execution_options={"populate_existing": populate}).unique()
        self.last = list(given)

    def _get(self, session: Session, model: Any, identity: Any) -> None:
        self.last = [session.get(model, identity)]

    def _set(self, _session: Session, key: Key, name: str, value: Any) -> None:
        if entity := self.of(key):
            setattr(entity, name, value)

    def _relate(self, session: Session, key: Key, name: str, other: Key | None) -> None:
        related = self.of(other)
        if (entity := self.of(key)) and (related or other is None):
            with session.no_autoflush:
                setattr(entity, name, related)

    def _append(self, session: Session, key: Key, name: str, other: Key) -> None:
        entity, related = self.of(key), self.of(other)
        self._load(session, key[0], name)
        if entity is None or related is None:
            return
        collection = getattr(entity, name)
        if related in collection:
            collection.remove(related)
        elif isinstance(collection, set):
            collection.add(related)
        else:
            collection.append(related)

    def _load(self, _session: Session, name: str, relationship: str) -> None:
        for key in sorted(self.held):
            if key[0] == name and (entity := self.of(key)) and hasattr(type(entity), relationship):
                getattr(entity, relationship)

    def _add(self, session: Session, model: Any, values: dict[str, Any], name: str | None, other: Key | None) -> None:
        related = self.of(other)
        with session.no_autoflush:
            entity = model(**values)
            if name and related:
                setattr(entity, name, related)
            session.add(entity)
        self.held.setdefault(key_of(entity), entity)

    def _delete(self, session: Session, key: Key) -> None:
        if (entity := self.of(key)) and inspect(entity).persistent:
            session.delete(entity)

    def _expire(self, session: Session, key: Key, names: list[str] | None) -> None:
        if (entity := self.of(key)) and inspect(entity).persistent:
            session.expire(entity, names)

    def _expire_all(self, session: Session) -> None:
        session.expire_all()

    def _refresh(self, session: Session, key: Key, names: list[str] | None) -> None:
        if (entity := self.of(key)) and inspect(entity).persistent:
            session.refresh(entity, names)

    def _expunge(self, session: Session, key: Key) -> None:
        if entity := self.of(key):
            session.expunge(entity)

    def _flush(self, session: Session) -> None:
        session.flush()

    def _behind(self, session: Session, model: Any, name: str, value: Any) -> None:
        statement = update(model).where(inspect(model).primary_key[-1] % 2 == 0).values({name: value})
        session.execute(statement, execution_options={"synchronize_session": False})

    def _undone(self, session: Session, steps: list[Step]) -> None:
        with session.begin_nested() as savepoint:
            for name, *arguments in steps:
                getattr(self, f"_{name}")(session, *arguments)
            savepoint.rollback()


class Drawing:
    """Histories drawn at random, of the *rows* that are there."""

    def __init__(self, random: Random, rows: Rows) -> None:
        self.random = random
        self.ids: dict[str, list[tuple[Any, ...]]] = {}
        for model in CLASSES:
            mapper = inspect(model)
            there = rows[mapper.local_table]  # type: ignore[index] # no class of these is mapped to a join
            self.ids[model.__name__] = [tuple(row[column.name] for column in mapper.primary_key) for row in there]
        self.new = 100

    def history(self) -> list[Step]:
        """Draw one: some reads, then whatever."""
        random = self.random
        steps = [self._read() for _ in range(random.randint(1, 4))]
        return steps + [self._step() for _ in range(random.randint(0, 8))]

    def _step(self) -> Step:
        random = self.random
        name = random.choice(list(_DRAWN))
        return _DRAWN[name](self) if random.random() < 0.9 else self._read()

    def key(self, model: type[Any]) -> Key:
        """Draw an entity of a class, mostly one that there is."""
        there = self.ids[model.__name__]
        return model.__name__, self.random.choice(there) if there else ("k1", 1)[-len(inspect(model).primary_key) :]

    def _read(self) -> Step:
        random = self.random
        model = random.choice([Person, Person, Pet, Pet, *CLASSES])
        known = list(OPTIONS.get(model, ()))
        options = random.sample(known, min(len(known), random.choice([0, 0, 1, 1, 2])))
        return "read", model, random.random() < 0.3, options, random.random() < 0.1

    def _get(self) -> Step:
        model = self.random.choice(CLASSES)
        return "get", model, self.key(model)[1]

    def _set(self) -> Step:
        model, name, values = self.random.choice(VALUES)
        return "set", self.key(model), name, self.random.choice(values)

    def _set_key(self) -> Step:
        model, name, other = self.random.choice(FOREIGN_KEYS)
        return "set", self.key(model), name, self.random.choice([None, *(key for (key,) in self.ids[other.__name__])])

    def _relate(self) -> Step:
        model, name, other = self.random.choice(REFERENCES)
        return "relate", self.key(model), name, self.random.choice([None, *[self.key(other)] * 4])

    def _append(self) -> Step:
        model, name, other = self.random.choice(COLLECTIONS)
        return "append", self.key(model), name, self.key(other)

    def _load(self) -> Step:
        model = self.random.choice(CLASSES)
        return "load", model.__name__, self.random.choice(relationships_of(model))

    def _add(self) -> Step:
        self.new += 1
        new, random = self.new, self.random
        there = self.ids["Person"]
        owner = random.choice([None, *(key for (key,) in there)])
        model, values, name = random.choice(
            [
                (Pet, {"id": new, "name": "a", "weight": 3, "is_first": False, "owner_id": owner}, None),
                (Pet, {"id": new, "name": "a", "weight": 0, "is_first": False}, "owner"),
                (Person, {"id": new, "name": "a", "code": f"new{new}", "boss_id": owner}, None),
                (Person, {"id": new, "name": "", "code": f"new{new}"}, "boss"),
                (Letter, {"id": new}, "writer"),
            ]
        )
        self.ids[model.__name__].append((new,))
        return "add", model, values, name, self.key(Person) if name else None

    def _of_one(self, name: str, models: list[type[Any]]) -> Step:
        return name, self.key(self.random.choice(models))

    def _some_names(self, name: str) -> Step:
        model = self.random.choice(CLASSES)
        keys = [*relationships_of(model), *(prop.key for prop in inspect(model).column_attrs)]
        names = self.random.choice([None, None, self.random.sample(keys, min(len(keys), 2))])
        return name, self.key(model), names

    def _behind(self) -> Step:
        model, name, value = self.random.choice([(Pet, "owner_id", None), (Pet, "weight", 7), (Person, "name", "a")])
        return "behind", model, name, value

    def _undone(self) -> Step:
        steps = [_DRAWN[self.random.choice(["set", "set key", "relate", "flush", "read"])](self) for _ in range(3)]
        return "undone", steps


_DRAWN: Final[dict[str, Callable[[Any], Step]]] = {
    "get": Drawing._get,
    "read": Drawing._read,
    "set": Drawing._set,
    "set key": Drawing._set_key,
    "relate": Drawing._relate,
    "relate again": Drawing._relate,
    "append": Drawing._append,
    "load": Drawing._load,
    "add": Drawing._add,
    "delete": lambda drawing: drawing._of_one("delete", [Pet, Person, Letter, Passport]),
    "expire": lambda drawing: drawing._some_names("expire"),
    "expire all": lambda _: ("expire_all",),
    "refresh": lambda drawing: drawing._some_names("refresh"),
    "expunge": lambda drawing: drawing._of_one("expunge", CLASSES),
    "flush": lambda _: ("flush",),
    "behind": Drawing._behind,
    "undone": Drawing._undone,
}


def is_limiting(history: list[Step]) -> bool:
    """Tell whether an option is for all that is reached from what it reads, as SQLAlchemy's `and_` is too."""
    reads = [step for step in history if step[0] == "read"]
    return any(
        name.endswith("everywhere") or name.startswith("some ") for _, _, _, options, _ in reads for name in options
    )


def relationships_of(model: Any) -> list[str]:
    """Name all the relationships of a class."""
    return sorted(inspect(model).relationships.keys())
