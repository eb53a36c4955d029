"""What Alembic's autogenerate finds of the models, said of the same objects as the catalogs. Pure.

Refuses: finding anything by itself: what env.py leaves out is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Constraint, Index, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import AddConstraint, CreateColumn, CreateIndex
from sqlalchemy.sql.elements import ClauseElement

from dal.migrations.drift.catalog import Key

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped


@dataclass(frozen=True, slots=True)
class ModelsHave:
    """What the models have where the migrations have something else: its definition, None for nothing."""

    definition: str | None
    parent: Key | None


def of_diffs(diffs: Sequence[Any], default_schema: str) -> dict[Key, ModelsHave]:
    """Take Alembic's differences: the database it looked at to be changed into the models.

    What is a part of a table that is there on one side only goes with the table.
    """
    found: dict[Key, ModelsHave] = {}
    for diff in diffs:
        for key, has in _read(diff, default_schema):
            # What is to be removed and added again is changed.
            if has.definition is not None or key not in found:
                found[key] = has
    return {key: has for key, has in found.items() if has.parent not in found or "comment" in key[0]}


def _read(diff: Any, schema: str) -> Iterator[tuple[Key, ModelsHave]]:
    if isinstance(diff, list):
        yield from _columns(diff, schema)
        return
    what, *of = diff
    match what, of:
        case (("add_table" | "remove_table"), [Table() as table]):
            yield ("table", _named(table, schema)), _has(what, "TABLE", None)
        case (("add_column" | "remove_column"), [own, table, Column() as column]):
            name = f"{own or schema}.{table}"
            yield ("column", f"{name}.{column.name}"), _has(what, _ddl(CreateColumn(column)), ("table", name))
        case (("add_index" | "remove_index"), [Index() as index]):
            yield _index(what, index, schema)
        case (("add_constraint" | "remove_constraint" | "add_fk" | "remove_fk"), [Constraint() as constraint]):
            yield _constraint(what, constraint, schema)
        case (("add_table_comment" | "remove_table_comment"), [Table() as table, *_]):
            name = _named(table, schema)
            yield ("comment on table", name), _has(what, table.comment, ("table", name))
        case "add_enum_value", [own, type_name, value]:
            yield ("enum", f"{own or schema}.{type_name}"), ModelsHave(f"with {value!r}", None)
        case _:
            # An operation of somebody's own, for which there is nothing in a catalog to compare with.
            yield (str(what), ", ".join(map(str, of))), ModelsHave(str(what), None)


def _has(what: str, definition: str | None, parent: Key | None) -> ModelsHave:
    return ModelsHave(None if what.startswith("remove") else definition, parent)


def _columns(diffs: Sequence[Any], schema: str) -> Iterator[tuple[Key, ModelsHave]]:
    """Say what is changed of one column, all in one, but for its comment."""
    changed: list[str] = []
    for what, own, table, column, _, _, new in diffs:
        parent = ("table", f"{own or schema}.{table}")
        name = f"{parent[1]}.{column}"
        if what == "modify_comment":
            yield ("comment on column", name), ModelsHave(new, ("column", name))
            continue
        changed.append(_changed(what, new))
        yield ("column", name), ModelsHave(", ".join(changed), parent)


def _changed(what: str, new: Any) -> str:
    if what == "modify_type":
        return _compiled(lambda: new.compile(dialect=_DIALECT), new)
    if what == "modify_nullable":
        return "NULL" if new else "NOT NULL"
    word = "DEFAULT" if what == "modify_default" else what
    if new is None or new is False:
        return f"no {word}"
    default = getattr(new, "arg", new)
    return f"{word} {getattr(default, 'text', default)}"


def _index(what: str, index: Index, schema: str) -> tuple[Key, ModelsHave]:
    assert index.table is not None  # noqa: S101 # Alembic compares those of tables
    parent = ("table", _named(index.table, schema))
    name = index.name or f"on {parent[1]} ({', '.join(map(str, index.expressions))})"
    return ("index", f"{index.table.schema or schema}.{name}"), _has(what, _ddl(CreateIndex(index)), parent)


def _constraint(what: str, constraint: Any, schema: str) -> tuple[Key, ModelsHave]:
    parent = ("table", _named(constraint.table, schema))
    columns = ", ".join(column.name for column in constraint.columns)
    text = _ddl(AddConstraint(constraint, isolate_from_table=False))
    definition = text.partition(" ADD ")[2] or text
    name = constraint.name or f"({columns})"
    return ("constraint", f"{parent[1]}.{name}"), _has(what, definition, parent)


def _named(table: Table, schema: str) -> str:
    return f"{table.schema or schema}.{table.name}"


def _ddl(element: ClauseElement) -> str:
    return _compiled(lambda: element.compile(dialect=_DIALECT), element)


def _compiled(compile_: Any, element: Any) -> str:
    """Render, or name, what only Alembic can render."""
    try:
        return " ".join(str(compile_()).split())
    except SQLAlchemyError:
        return type(element).__name__
