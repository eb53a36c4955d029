"""Types drawn at random for a mapped class, and what an entity's own attributes say that they must hold.

What is expected is taken from entities by hand, attribute by attribute, and never from dal. Both sides become plain
tuples: an object is a tuple of its fields' values, a collection without an order is sorted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, make_dataclass
from itertools import count
from random import Random
from typing import Annotated, Any, NamedTuple, Optional
from uuid import UUID

import msgspec
import pydantic
from sqlalchemy import Column, inspect
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import ColumnProperty, RelationshipProperty, Session, selectinload
from typing_extensions import TypedDict

from dal.projection import Expr, From, Load

# A pydantic model takes only what pydantic knows inside of it.
KINDS = ["dataclass", "struct", "model", "named_tuple", "typed_dict"]
KNOWN_TO_PYDANTIC = ["dataclass", "model"]
_names = count()


class Inner(NamedTuple):
    """A type at a relationship; *order* is that of a collection, if it has one, *keep* what its Load keeps."""

    want: Want
    name: str
    is_many: bool
    is_ordered: bool
    keep: Callable[[list[Any]], list[Any]]


@dataclass
class FieldOf:
    """One field: its annotation, its value on an entity, and the type within it, if it is a relationship."""

    name: str
    annotation: Any
    of: Callable[[Any], Any]
    inner: Inner | None = None


@dataclass
class Want:
    """A drawn type and how its objects are told from those of any other."""

    type: Any
    kind: str
    fields: list[FieldOf]

    def of_entity(self, session: Session, entity: Any) -> Any:
        """Copy an entity by hand."""
        return None if entity is None else tuple(_copied(session, field, entity) for field in self.fields)

    def of_object(self, made: Any) -> Any:
        """Take apart what a read has made."""
        if made is None:
            return None
        if self.kind == "typed_dict":
            assert type(made) is dict
            assert list(made) == [field.name for field in self.fields]
            return tuple(_taken(field, made[field.name]) for field in self.fields)
        assert type(made) is self.type
        return tuple(_taken(field, getattr(made, field.name)) for field in self.fields)

    def options(self, model: Any) -> list[Any]:
        """Give the loader options that load what it needs, where relationships can be loaded so."""
        found = []
        for field in self.fields:
            if field.inner and inspect(model).relationships[field.inner.name].lazy not in {"dynamic", "write_only"}:
                attribute = getattr(model, field.inner.name)
                target = attribute.property.mapper.class_
                found.append(selectinload(attribute).options(*field.inner.want.options(target)))
        return found


def _copied(session: Session, field: FieldOf, entity: Any) -> Any:
    if field.inner is None:
        return field.of(entity)
    value = _related(session, entity, field.inner.name)
    if not field.inner.is_many:
        return field.inner.want.of_entity(session, value)
    return _collected(field.inner, [field.inner.want.of_entity(session, each) for each in field.inner.keep(value)])


def _related(session: Session, entity: Any, name: str) -> Any:
    value = getattr(entity, name)
    lazy = inspect(type(entity)).relationships[name].lazy
    if lazy == "dynamic":
        return value.all()
    return session.scalars(value.select()).all() if lazy == "write_only" else value


def _taken(field: FieldOf, value: Any) -> Any:
    if field.inner is None:
        return value
    if not field.inner.is_many:
        return field.inner.want.of_object(value)
    return _collected(field.inner, [field.inner.want.of_object(each) for each in value])


def _collected(inner: Inner, values: list[Any]) -> Any:
    return tuple(values if inner.is_ordered else sorted(values, key=repr))


class Drawing:
    """Draws types, by *random*, which hypothesis shrinks."""

    def __init__(self, random: Random, *, kinds: Sequence[str] = KINDS) -> None:
        self._random = random
        self._kinds = kinds

    def type(self, model: Any, depth: int) -> Want:
        """Draw a type for *model* with relationships within relationships, at most so *depth*."""
        random, mapper = self._random, inspect(model)
        kind = random.choice(self._kinds)
        inside = self if kind != "model" else Drawing(random, kinds=KNOWN_TO_PYDANTIC)
        names = [prop.key for prop in mapper.column_attrs] + [prop.key for prop in mapper.composites]
        names += [
            key
            for key, each in mapper.all_orm_descriptors.items()
            if isinstance(each, hybrid_property) and key[0] != "_"
        ]
        names += [each.key for each in mapper.synonyms]
        names.sort()  # in an order that is the same in the next run
        fields = [inside._column(model, name) for name in random.sample(names, random.randint(1, min(4, len(names))))]
        fields += [inside._expression(model)] * random.randint(0, 1) if numbers_of(mapper) else []
        if depth:
            paths = sorted(mapper.relationships.keys())
            chosen = random.sample(paths, random.randint(0, min(3, len(paths))))
            fields += [inside._relationship(model, name, depth) for name in chosen]
            fields += [each for each in [inside._path(model)] if each]
        random.shuffle(fields)
        names = [field.name for field in fields]
        fields = [field for place, field in enumerate(fields) if field.name not in names[:place]]
        return self._made(kind, fields)

    def _column(self, model: Any, name: str) -> FieldOf:
        hint = _hint(model, name)
        if self._random.random() < 0.2:
            return self._renamed(Annotated[hint, From(getattr(model, name))], lambda entity: getattr(entity, name))
        return FieldOf(name, hint, lambda entity: getattr(entity, name))

    def _expression(self, model: Any) -> FieldOf:
        name = self._random.choice(numbers_of(inspect(model)))

        def added(entity: Any) -> Any:
            value = getattr(entity, name)
            return None if value is None else value + 1

        return self._renamed(Annotated[Optional[int], Expr(getattr(model, name) + 1)], added)  # noqa: UP045 # of values

    def _path(self, model: Any) -> FieldOf | None:
        """Draw a column at the end of many-to-ones."""
        steps: list[Any] = []
        while self._random.random() < 0.6:
            ones = sorted(filter(_is_one, inspect(model).relationships), key=lambda prop: prop.key)
            if not ones:
                break
            prop = self._random.choice(ones)
            steps.append(getattr(model, prop.key))
            model = prop.mapper.class_
        if not steps:
            return None
        name = self._random.choice(sorted(prop.key for prop in inspect(model).column_attrs))

        def walked(entity: Any) -> Any:
            for step in steps:
                entity = None if entity is None else getattr(entity, step.key)
            return None if entity is None else getattr(entity, name)

        there: Any = _hint(model, name)
        hint: Any = Optional[there]  # noqa: UP045 # of values
        return self._renamed(Annotated[hint, From(*steps, getattr(model, name))], walked)

    def _relationship(self, model: Any, name: str, depth: int) -> FieldOf:
        prop: RelationshipProperty[Any] = inspect(model).relationships[name]
        want = self.type(prop.mapper.class_, depth - 1)
        type_: Any = want.type
        if not prop.uselist:
            hint: Any = type_ if _is_certain(prop) and self._random.random() < 0.7 else Optional[type_]  # noqa: UP045 # of values
            inner = Inner(want, name, is_many=False, is_ordered=True, keep=list)
            return FieldOf(name, hint, lambda _: None, inner)
        load, inner = self._load(prop, want)
        hint = self._random.choice([list[type_], tuple[type_, ...], Sequence[type_]])
        return FieldOf(name, hint if load is None else Annotated[hint, load], lambda _: None, inner)

    def _load(self, prop: RelationshipProperty[Any], want: Want) -> tuple[Load | None, Inner]:
        """Draw a Load, and what does the same to a list."""
        random, model = self._random, prop.mapper.class_
        where, keeps = self._where(model)
        order, sort = self._order(model)
        if random.random() < 0.5 or not (where or order):
            return None, Inner(want, prop.key, is_many=True, is_ordered=bool(prop.order_by), keep=list)
        limit = random.randint(1, 3) if order or prop.order_by else None

        def keep(entities: list[Any]) -> list[Any]:
            kept = sort([each for each in entities if keeps(each)])
            return kept[:limit] if limit else kept

        load = Load(order_by=order, where=where, limit=limit)
        return load, Inner(want, prop.key, is_many=True, is_ordered=bool(order or prop.order_by), keep=keep)

    def _where(self, model: Any) -> tuple[list[Any], Callable[[Any], bool]]:
        names = numbers_of(inspect(model))
        if not names or self._random.random() < 0.5:
            return [], lambda _: True
        name, edge = self._random.choice(names), self._random.randint(0, 3)
        column = getattr(model, name)
        return self._random.choice(
            [
                ([column >= edge], lambda each: getattr(each, name) is not None and getattr(each, name) >= edge),
                ([column.in_([edge, edge + 1])], lambda each: getattr(each, name) in {edge, edge + 1}),
                ([column.is_not(None)], lambda each: getattr(each, name) is not None),
            ]
        )

    def _order(self, model: Any) -> tuple[list[Any], Callable[[list[Any]], list[Any]]]:
        """Draw an order by one number, then by the key, so that it is one only."""
        mapper = inspect(model)
        keys = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
        names = numbers_of(mapper)
        if not set(keys) <= set(names) | set(_sortable(mapper)) or not names or self._random.random() < 0.4:
            return [], list
        name, descends = self._random.choice(names), self._random.random() < 0.5
        column = getattr(model, name)
        first = column.desc().nulls_last() if descends else column.asc().nulls_first()

        def sort(entities: list[Any]) -> list[Any]:
            by_key = sorted(entities, key=lambda each: [getattr(each, key) for key in keys])
            none = [each for each in by_key if getattr(each, name) is None]
            some = [each for each in by_key if getattr(each, name) is not None]
            some.sort(key=lambda each: -getattr(each, name) if descends else getattr(each, name))
            return some + none if descends else none + some

        return [first, *(getattr(model, key) for key in keys)], sort

    def _renamed(self, annotation: Any, of: Callable[[Any], Any]) -> FieldOf:
        return FieldOf(f"renamed_{next(_names)}", annotation, of)

    def _made(self, kind: str, fields: list[FieldOf]) -> Want:
        annotations = {field.name: field.annotation for field in fields}
        name = f"Drawn{self._random.randint(0, 9999)}"
        if kind == "dataclass":
            options: dict[str, Any] = {option: self._random.random() < 0.5 for option in ("frozen", "kw_only", "slots")}
            if options["kw_only"] and self._random.random() < 0.5:
                extra = FieldOf("no_attribute", int, lambda _: 7)
                return Want(
                    make_dataclass(
                        name, [*annotations.items(), ("no_attribute", int, dataclasses.field(default=7))], **options
                    ),
                    kind,
                    [*fields, extra],
                )
            return Want(make_dataclass(name, list(annotations.items()), **options), kind, fields)
        create: Any = pydantic.create_model
        typed_dict: Any = TypedDict
        makers: dict[str, Callable[[], Any]] = {
            "struct": lambda: msgspec.defstruct(name, list(annotations.items()), frozen=self._random.random() < 0.5),
            "model": lambda: create(name, **{key: (hint, ...) for key, hint in annotations.items()}),
            "named_tuple": lambda: NamedTuple(name, list(annotations.items())),
            "typed_dict": lambda: typed_dict(name, annotations),
        }
        return Want(makers[kind](), kind, fields)


def _hint(model: Any, name: str) -> Any:
    """Give what a field for this attribute must be annotated with; of what has no certain type, anything."""
    mapper = inspect(model)
    while name in mapper.synonyms:
        name = mapper.synonyms[name].name
    prop = mapper.attrs.get(name)
    if not isinstance(prop, ColumnProperty):
        return Any
    column = prop.columns[0]
    try:
        has: Any = column.type.python_type
    except NotImplementedError:
        return Any
    if has in {list, dict} or has.__module__ not in {"builtins", "datetime", "decimal", "uuid"}:
        return Any
    return Optional[has] if getattr(column, "nullable", True) else has  # noqa: UP045 # of values


def numbers_of(mapper: Any) -> list[str]:
    """Name the attributes that are integers in a column of their own."""
    props = [prop for prop in mapper.column_attrs if isinstance(prop.columns[0], Column)]
    return sorted(prop.key for prop in props if _python_type(prop) is int)


def _sortable(mapper: Any) -> list[str]:
    return [prop.key for prop in mapper.column_attrs if _python_type(prop) is UUID]


def _python_type(prop: Any) -> Any:
    try:
        return prop.columns[0].type.python_type
    except NotImplementedError:
        return None


def _is_one(prop: Any) -> bool:
    return prop.direction.name == "MANYTOONE" and not prop.uselist


def _is_certain(prop: Any) -> bool:
    return _is_one(prop) and not any(column.nullable for column in prop.local_columns)
