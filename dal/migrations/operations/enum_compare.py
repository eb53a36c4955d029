"""Autogenerate finds the values of enum types that models have and the database does not.

They come first in their revision, since what adds them commits. A value that no model has any more stays in its type,
where it harms nobody and PostgreSQL cannot take it away: that is a line in the log, or the hint that it was renamed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import UpgradeOps
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import Column, MetaData
from sqlalchemy.dialects.postgresql.base import PGInspector

from dal.migrations.enum_types import enum_within
from dal.migrations.operations.enum_add import AddEnumValueOp

PLUGIN: Final = "dal.enum_values"
# The schema, None for the default one, and the name.
Name = tuple[str | None, str]

log: Final = logging.getLogger("dal.migrations")


def register() -> None:
    """Have Alembic know the comparator, by the name `PLUGIN`."""
    Plugin(PLUGIN).add_autogenerate_comparator(
        _compare, "schema", "enum_values", qualifier="postgresql", priority=DispatchPriority.FIRST
    )


def _compare(autogen: AutogenContext, upgrade: UpgradeOps, schemas: Iterable[str | None]) -> PriorityDispatchResult:
    metadata = autogen.metadata
    inspector = autogen.inspector
    assert isinstance(inspector, PGInspector)  # noqa: S101 # the comparator is PostgreSQL's
    wanted = _in_models([metadata] if isinstance(metadata, MetaData) else metadata or [])
    for schema in schemas:
        for found in inspector.get_enums(schema=schema):
            name = (schema, found["name"])
            if name in wanted:
                upgrade.ops.extend(additions(name, wanted[name], found["labels"]))
    return PriorityDispatchResult.CONTINUE


def _in_models(metadatas: Iterable[MetaData]) -> dict[Name, Sequence[str]]:
    columns = (column for metadata in metadatas for table in metadata.tables.values() for column in table.columns)
    return dict(named for column in columns if (named := _enum_of(column)) is not None)


def _enum_of(column: Column[Any]) -> tuple[Name, Sequence[str]] | None:
    kind = enum_within(column.type)
    return None if kind is None or not kind.name else ((kind.schema, kind.name), kind.enums)


def additions(name: Name, wanted: Sequence[str], there: Sequence[str]) -> list[AddEnumValueOp]:
    """Say what adds the values that are *wanted* and not *there*, each in its place; pure, but for a log line."""
    lost = tuple(value for value in there if value not in wanted)
    added = [value for value in wanted if value not in there]
    if lost and not added:
        log.warning("enum type %s keeps values that no model has: %s", name[1], ", ".join(lost))
    return [_addition(name, wanted, there, value, lost) for value in added]


def _addition(
    name: Name, wanted: Sequence[str], there: Sequence[str], value: str, lost: tuple[str, ...]
) -> AddEnumValueOp:
    place = wanted.index(value)
    # The one ahead of it is there by then; at the very beginning, the first that is there already.
    after = wanted[place - 1] if place else None
    before = None if place else next((other for other in wanted if other in there), None)
    return AddEnumValueOp(name[1], value, before=before, after=after, schema=name[0], perhaps_renamed=lost)
