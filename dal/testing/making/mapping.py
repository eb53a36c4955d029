"""What a mapping asks of a new entity: which attributes need a value, and which relationships an entity.

Pure. Refuses: making either. A CHECK constraint cannot be known from here.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Column, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy import inspect as sa_inspect
from sqlalchemy.orm import LoaderCallableStatus, Mapper, RelationshipDirection, RelationshipProperty
from sqlalchemy.sql import visitors

from dal.errors import FactoryError

E = TypeVar("E")
AnyColumn = Column[Any]
Relationship = RelationshipProperty[Any]


@dataclass(frozen=True, slots=True)
class Needs:
    """What is left to give to an entity, by attribute."""

    columns: dict[str, AnyColumn]
    relationships: dict[str, Relationship]


def mapper_of(entity: type[E], *, abstract: bool = False) -> Mapper[E]:
    """Give the mapper of *entity*; raises `FactoryError` if it has none, or, unless *abstract*, no rows of its own."""
    mapper = sa_inspect(entity, raiseerr=False)
    if not isinstance(mapper, Mapper):
        raise FactoryError(f"{entity!r} is not a mapped class")
    if not abstract and mapper.polymorphic_on is not None and mapper.polymorphic_identity is None:
        kinds = ", ".join(sorted(each.class_.__name__ for each in mapper.self_and_descendants if each is not mapper))
        raise FactoryError(f"{entity.__name__} has no polymorphic_identity: make one of {kinds or 'its subclasses'}")
    return mapper


def check_names(mapper: Mapper[Any], names: Iterable[str]) -> None:
    """Raise `FactoryError` for the first of *names* that is no attribute, with the nearest that is one."""
    known = mapper.all_orm_descriptors.keys()
    for name in names:
        if name not in known and not _is_settable_property(mapper.class_, name):
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(known))}"
            raise FactoryError(f"{mapper.class_.__name__} has no attribute {name!r}; {hint}")


def columns_behind(mapper: Mapper[Any], name: str) -> frozenset[AnyColumn]:
    """Give the columns that setting the attribute *name* writes; none for a hybrid, whose setter is its own."""
    while name in mapper.synonyms:
        name = mapper.synonyms[name].name
    if name in mapper.relationships:
        relationship = mapper.relationships[name]
        return frozenset(_local(relationship)) if _is_many_to_one(relationship) else frozenset()
    if name in mapper.composites:
        return frozenset(mapper.composites[name].columns)
    return frozenset(_columns(mapper).get(name, ()))


def merge(mapper: Mapper[Any], standing: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Put *given* over *standing*, of which nothing stays that writes a column of *given*."""
    written = frozenset[AnyColumn]().union(*(columns_behind(mapper, name) for name in given))
    kept = {name: value for name, value in standing.items() if not columns_behind(mapper, name) & written}
    return kept | dict(given)


def needs(mapper: Mapper[Any], given: Collection[str]) -> Needs:
    """Tell what an entity needs that has the attributes *given*.

    Raises `FactoryError` for a foreign key that no relationship can fill.
    """
    written = frozenset[AnyColumn]().union(*(columns_behind(mapper, name) for name in given))
    required = {column: name for name, column in required_columns(mapper).items() if column not in written}
    relationships = _required_relationships(mapper, required, written)
    filled = {column for relationship in relationships.values() for column in _local(relationship)}
    columns = {name: column for column, name in required.items() if column not in filled}
    for name, column in columns.items():
        if column.foreign_keys:
            raise FactoryError(_unfilled(mapper, name, column))
    return Needs(columns, relationships)


def required_columns(mapper: Mapper[Any]) -> dict[str, AnyColumn]:
    """Give the columns that are NOT NULL and that neither the server, a default nor the ORM fills, by attribute."""
    own = _filled_by_orm(mapper)
    return {
        name: column
        for name, columns in _columns(mapper).items()
        for column in columns[-1:]
        if column not in own and not is_optional(column)
    }


def is_optional(column: AnyColumn) -> bool:
    """Tell whether an INSERT may leave *column* out."""
    return column.nullable or column.default is not None or is_generated(column)


def is_generated(column: AnyColumn) -> bool:
    """Tell whether the server fills *column*: by default, identity, sequence, computation or trigger."""
    return column.server_default is not None or column is getattr(column.table, "autoincrement_column", None)


def settable_columns(mapper: Mapper[Any]) -> dict[str, AnyColumn]:
    """Give the columns that are the caller's to fill, foreign keys left out, by attribute."""
    own = _filled_by_orm(mapper)
    return {
        name: column
        for name, columns in _columns(mapper).items()
        for column in columns[-1:]
        if column not in own and not column.foreign_keys and not is_generated(column)
    }


def unique_groups(mapper: Mapper[Any]) -> list[tuple[AnyColumn, ...]]:
    """Give the columns that are unique together, the fewest first; a unique index on an expression by its columns."""
    groups: dict[tuple[AnyColumn, ...], None] = {}
    for table in mapper.tables:
        if isinstance(table, Table):
            unique = (each for each in table.constraints if isinstance(each, (PrimaryKeyConstraint, UniqueConstraint)))
            for each in (*unique, *(index for index in table.indexes if index.unique)):
                groups[tuple(each.columns)] = None
    # Constraints are a set, in an order that differs between processes.
    return sorted((group for group in groups if group), key=lambda group: (len(group), [str(each) for each in group]))


def construct(entity: type[E], values: Mapping[str, Any]) -> E:
    """Make an *entity* with *values* by its own constructor; what the constructor does not take is set afterwards."""
    parameters = inspect.signature(entity).parameters
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    # A mapped dataclass asks for what may well stay unset; this is how its own defaults say so.
    unset: dict[str, Any] = dict.fromkeys(
        (name for name, each in parameters.items() if each.default is each.empty and hasattr(entity, name)),
        LoaderCallableStatus.DONT_SET,
    )
    # A hybrid may fail when read from the class, which is what the declarative constructor does.
    taken = {name for name in values if name in parameters or (takes_any and hasattr(entity, name))}
    new = entity(**unset | {name: value for name, value in values.items() if name in taken})
    for name, value in values.items():
        if name not in taken:
            setattr(new, name, value)
    return new


def no_circle(chain: tuple[type, ...], name: str, target: type) -> None:
    """Raise `FactoryError` if making *target* for attribute *name* of the last of *chain* would never end."""
    if not any(issubclass(target, made) for made in chain):
        return
    owner = chain[-1].__name__
    why = "refers to its own class" if issubclass(target, chain[-1]) else f"leads back to {target.__name__}"
    raise FactoryError(f"{owner}.{name} is required and {why}, so there is no first one: pass {name}")


def _columns(mapper: Mapper[Any]) -> dict[str, list[AnyColumn]]:
    """Give the columns of each attribute, that of the root table last; expressions have none."""
    return {each.key: [column for column in each.columns if isinstance(column, Column)] for each in mapper.column_attrs}


def _filled_by_orm(mapper: Mapper[Any]) -> set[Any]:
    """Give the discriminator, the version, and the key that a joined table shares with its parent."""
    filled: set[Any] = {mapper.polymorphic_on}
    if mapper.version_id_col is not None and mapper.version_id_generator is not False:
        filled.add(mapper.version_id_col)
    for each in mapper.iterate_to_root():
        if each.inherit_condition is not None:
            joined = visitors.iterate(each.inherit_condition)
            filled.update(part for part in joined if isinstance(part, Column) and part.table is each.local_table)
    return filled


def _required_relationships(
    mapper: Mapper[Any], required: Mapping[AnyColumn, str], written: frozenset[AnyColumn]
) -> dict[str, Relationship]:
    found: dict[str, Relationship] = {}
    filled: set[AnyColumn] = set()
    # The widest first: it also fills what a narrower one of its columns would.
    for each in sorted(mapper.relationships, key=lambda each: (-len(_local(each)), each.key)):
        local = _local(each)
        if not _is_fillable(each, required, written) or filled.issuperset(local):
            continue
        if shared := filled.intersection(local):
            raise FactoryError(_ambiguous(mapper, each.key, shared))
        found[each.key] = each
        filled.update(local)
    return {each.key: each for each in mapper.relationships if each.key in found}


def _is_fillable(each: Relationship, required: Mapping[AnyColumn, str], written: frozenset[AnyColumn]) -> bool:
    local = _local(each)
    # With one nullable column left unset, the server does not look at the others of the key.
    return (
        _is_many_to_one(each)
        and not any(column.nullable or column in written for column in local)
        and any(column in required for column in local)
    )


def _is_many_to_one(each: Relationship) -> bool:
    return each.direction is RelationshipDirection.MANYTOONE and not each.viewonly


def _local(each: Relationship) -> list[AnyColumn]:
    return [column for column, _ in each.local_remote_pairs or () if isinstance(column, Column)]


def _unfilled(mapper: Mapper[Any], name: str, column: AnyColumn) -> str:
    owner = mapper.class_.__name__
    target = next(iter(column.foreign_keys)).target_fullname
    by = [each.key for each in mapper.relationships if _is_many_to_one(each) and column in _local(each)]
    if by:
        return f"{owner}.{name} refers to {target}, as part of {by[0]}, of which something was given: pass {by[0]}"
    return f"{owner}.{name} refers to {target} and no relationship is mapped for it: pass {name}"


def _ambiguous(mapper: Mapper[Any], name: str, shared: Iterable[AnyColumn]) -> str:
    columns = ", ".join(sorted(str(column) for column in shared))
    return f"{mapper.class_.__name__}.{name} shares {columns} with another required relationship: pass both"


def _is_settable_property(entity: type, name: str) -> bool:
    found = inspect.getattr_static(entity, name, None)
    return isinstance(found, property) and found.fset is not None
