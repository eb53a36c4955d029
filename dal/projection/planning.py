"""The plan of a type on a mapped class: which field is which column, which join, which statement of its own.

Pure. Refuses: sending anything.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, TypeDecorator, case, inspect, literal_column
from sqlalchemy.orm import ColumnProperty, CompositeProperty, Mapper, QueryableAttribute, RelationshipProperty, aliased
from sqlalchemy.sql.expression import SQLColumnExpression
from sqlalchemy.sql.util import ClauseAdapter

from dal.errors import ProjectionError
from dal.projection.aggregates import is_aggregate
from dal.projection.fitting import refuse_null, refuse_other_nesting, refuse_other_type
from dal.projection.markers import Expr, From, Load
from dal.projection.misfits import collecting, raise_all
from dal.projection.names import Member, Place, attribute, member
from dal.projection.numerics import as_text, is_fixed
from dal.projection.plan import Child, Collected, FromColumn, FromColumns, Joined, Level, Node, Value
from dal.projection.relationships import is_joined, may_be_absent, related
from dal.projection.shape import Columns, Shape, shape_of

# Types are few, and live as long as the process.
KEPT: Final = 1000

# Along which many-to-ones an entity is reached from the root of its SELECT.
Path = tuple[str, ...]


def plan_of(model: Any, into: Any) -> Level:
    """Plan how *into* is read of *model*: a type, or a SQL expression, of which each row gives one value.

    Raises `ProjectionError` for what does not fit.
    """
    return _value(model, into) if isinstance(into, SQLColumnExpression) else _planned(model, into)


@lru_cache(maxsize=KEPT)
def _value(model: Any, expression: Any) -> Level:
    attribute: Any = expression
    if isinstance(attribute, QueryableAttribute) and isinstance(attribute.parent, Mapper):
        return _Planner(model).value(attribute)
    groups = () if is_aggregate(expression) else None
    return Level((expression,), (), groups, Node.of(_first_column, [FromColumn(0)]), ())


@lru_cache(maxsize=KEPT)
def _planned(model: Any, into: Any) -> Level:
    return _Planner(model).level(shape_of(into))


class _Planner:
    """The SELECT of one level while it is planned: each column once, each join once."""

    def __init__(self, entity: Any) -> None:
        self._entities: dict[Path, Any] = {(): entity}
        self._columns: dict[Hashable, ColumnElement[Any]] = {}
        self._single: dict[Hashable, ColumnElement[Any]] = {}  # what to group by for each of them
        self._joins: list[Any] = []
        self._children: list[Child] = []

    def level(self, shape: Shape) -> Level:
        """Plan the whole level, and those below."""
        node = self._node(shape, ())
        columns = tuple(self._columns.values())
        single = tuple(column for column in self._single.values() if not is_aggregate(column))
        groups = None if len(single) == len(columns) else single
        return Level(columns, tuple(self._joins), groups, node, tuple(self._children))

    def value(self, attribute: Any) -> Level:
        """Plan a level of one attribute by itself."""
        mapper = self._mapper(())
        found = mapper.attrs.get(attribute.key)
        if not mapper.isa(attribute.parent) or isinstance(found, RelationshipProperty):
            raise ProjectionError(
                f"{attribute} is no value of a {mapper.class_.__name__}'s own row: name what to read by a type, such "
                "as a dataclass whose field is annotated with From(...)."
            )
        value = self._composite(found, ()) if isinstance(found, CompositeProperty) else FromColumn(0)
        columns = tuple(self._columns.values()) or (attribute,)
        return Level(columns, (), None, Node.of(_first_column, [value]), ())

    def _node(self, shape: Shape, path: Path) -> Node:
        values: dict[str, Value] = {}
        misfits: list[ProjectionError] = []
        for place in (Place(shape, field) for field in shape.fields):
            with collecting(misfits):
                value = self._value(place, path)
                if value is not None:
                    values[place.field.name] = value
        raise_all(misfits)
        return Node.of(shape.maker(tuple(values)), tuple(values.values()))

    def _value(self, place: Place, path: Path) -> Value | None:
        """Plan a field; None leaves it to its default."""
        source, name, absent = place.field.source, place.field.name, False
        if isinstance(source, Expr):
            return self._column(("expression", id(source), path), self._adapted(source.expression, path))
        if isinstance(source, From):
            path, name, absent = self._walk(place, source, path)
        found = member(place, self._mapper(path), name)
        return None if found is None else self._member(place, found, path, absent=absent)

    def _member(self, place: Place, found: Member, path: Path, *, absent: bool) -> Value:
        if isinstance(found, RelationshipProperty):
            refuse_other_nesting(place, found, absent=absent or may_be_absent(found))
            return self._joined(place, found, path) if is_joined(found) else self._collected(place, found, path)
        if isinstance(found, CompositeProperty):
            if absent or callable(found.return_none_on):
                refuse_null(place, found, absent=absent)
            return self._composite(found, path)
        refuse_null(place, found, absent=absent)
        refuse_other_type(place, found)
        name = found.key if isinstance(found, ColumnProperty) else found.__name__
        if is_fixed(found):
            number = getattr(self._entities[path], name)
            # Where there is no row to join, every column of it is NULL.
            digits = as_text(number, nullable=bool(path) or place.field.is_optional)
            return self._column((path, name, "text"), digits, number)
        return self._computed(name, path) if absent and not _is_column(found) else self._attribute(name, path)

    def _composite(self, prop: CompositeProperty[Any], path: Path) -> FromColumns:
        indexes = tuple(self._attribute(part.key, path).index for part in prop.props)
        make, is_none = prop.composite_class, prop.return_none_on
        if callable(is_none):
            return FromColumns(indexes, lambda *values: None if is_none(*values) else make(*values))
        return FromColumns(indexes, make)

    def _joined(self, place: Place, prop: RelationshipProperty[Any], path: Path) -> Joined:
        inner = self._join(path, prop)
        if place.field.load is not None:
            place.refuse("Load(...) says how a collection is read, and this is no collection.")
        present = self._present(inner)
        required = None if place.field.is_optional else f"{prop.parent.class_.__name__}.{prop.key}"
        return Joined(self._node(shape_of(place.field.hint), inner), present.index, required)

    def _collected(self, place: Place, prop: RelationshipProperty[Any], path: Path) -> Collected:
        way = related(prop)
        shape = shape_of(place.field.item if prop.uselist else place.field.hint)
        level = _Planner(way.entity).level(shape)
        load = place.field.load or Load()
        if level.groups is None:  # an aggregate has no order of its rows
            load = replace(load, order_by=load.order_by or tuple(prop.order_by or ()))
        parent = tuple(self._attribute(key, path).index for key in way.keys)
        own = tuple(range(len(level.columns), len(level.columns) + len(way.own)))
        child = Child(level, way.statement(level, load), parent, own)
        self._children.append(child)
        return Collected(child, place.field.collection or _only)

    def _walk(self, place: Place, source: From, path: Path) -> tuple[Path, str, bool]:
        """Follow the many-to-ones of a `From`; gives where its last attribute is, and whether that may be missing."""
        absent = False
        for step in source.path[:-1]:
            found = member(place, self._mapper(path), attribute(place, self._mapper(path), step))
            if not isinstance(found, RelationshipProperty) or not is_joined(found):
                place.refuse(f"{step} is no many-to-one relationship, and only those have one row to go on from.")
            absent = absent or may_be_absent(found)
            path = self._join(path, found)
        return path, attribute(place, self._mapper(path), source.path[-1]), absent

    def _join(self, path: Path, prop: RelationshipProperty[Any]) -> Path:
        inner = (*path, prop.key)
        if inner not in self._entities:
            self._entities[inner] = target = aliased(prop.mapper.class_, flat=True)
            self._joins.append(getattr(self._entities[path], prop.key).of_type(target))
        return inner

    def _attribute(self, name: str, path: Path) -> FromColumn:
        return self._column((path, name), getattr(self._entities[path], name))

    def _computed(self, name: str, path: Path) -> FromColumn:
        """Take an expression of an entity that may be missing: then it is NULL, as a column is, whatever it counts."""
        entity = self._entities[path]
        is_there = getattr(entity, self._presence(path)).is_not(None)
        return self._column((path, name, "if there"), case((is_there, getattr(entity, name))))

    def _present(self, path: Path) -> FromColumn:
        """Take what is NULL if there is no row: not a value that a type of the application's has made of NULL."""
        name = self._presence(path)
        attribute = getattr(self._entities[path], name)
        if isinstance(attribute.type, TypeDecorator):
            return self._column((path, name, "is there"), case((attribute.is_not(None), literal_column("1"))))
        return self._attribute(name, path)

    def _presence(self, path: Path) -> str:
        """Name an attribute that is not NULL of any row."""
        mapper = self._mapper(path)
        return mapper.get_property_by_column(mapper.primary_key[0]).key

    def _column(
        self, key: Hashable, expression: ColumnElement[Any], single: ColumnElement[Any] | None = None
    ) -> FromColumn:
        self._columns.setdefault(key, expression)
        self._single.setdefault(key, expression if single is None else single)
        return FromColumn(list(self._columns).index(key))

    def _mapper(self, path: Path) -> Mapper[Any]:
        mapper: Mapper[Any] = inspect(self._entities[path]).mapper
        return mapper

    def _adapted(self, expression: ColumnElement[Any], path: Path) -> ColumnElement[Any]:
        """Let an expression of a mapped class speak of the alias that is joined for it."""
        if not path:
            return expression
        adapted: ColumnElement[Any] = ClauseAdapter(inspect(self._entities[path]).selectable).traverse(expression)
        return adapted


def _is_column(found: Member) -> bool:
    return isinstance(found, ColumnProperty) and isinstance(found.columns[0], Column)


def _first_column(columns: Columns) -> list[Any]:
    return list(columns[0])


def _only(found: list[Any]) -> Any:
    return found[0] if found else None
