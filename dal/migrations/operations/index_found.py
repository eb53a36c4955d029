"""What is there under the name of an index: nothing, what an interruption has left, or the index itself.

PostgreSQL leaves an invalid index behind when it is interrupted: it costs every write, and no query uses it.
"""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

from alembic.operations.ops import CreateIndexOp
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from dal.errors import MigrationError
from dal.migrations.operations.sql import connection_of, quoted, run
from dal.migrations.operations.timeouts import pause

_POLL_S: Final = 0.5
_POLLS_PER_LINE: Final = 20
_FOUND: Final = text("""
    SELECT x.indisvalid, x.indrelid = t.oid, pg_catalog.pg_get_indexdef(r.oid), p.pid
    FROM pg_class t JOIN pg_class r ON r.relnamespace = t.relnamespace
        AND r.relname = CAST(CAST(:index AS text) AS name)  -- as the server cuts it
        LEFT JOIN pg_index x ON x.indexrelid = r.oid
        LEFT JOIN pg_stat_progress_create_index p ON p.index_relid = r.oid AND p.datname = current_database()
    WHERE t.oid = pg_catalog.to_regclass(:table)
""")
_DEFINITION: Final = text("""
    SELECT pg_catalog.pg_get_indexdef(
        pg_catalog.to_regclass('pg_temp.' || pg_catalog.quote_ident(CAST(CAST(:index AS text) AS name)))
    )
""")

log: Final = logging.getLogger("dal.migrations")


class Found(NamedTuple):
    """A relation of the index's name; *is_valid* is None if it is no index."""

    is_valid: bool | None
    is_on_table: bool | None
    definition: str | None
    builder: int | None


def is_there(context: MigrationContext, op: CreateIndexOp) -> bool:
    """Tell whether the index is there, complete; what an interruption has left of it is dropped.

    Waits while another process builds it: that of a migration whose client was killed goes on by itself. Raises
    `MigrationError` if something else has its name. One round trip if nothing is there.
    """
    found = _found_and_built(context, op)
    if found is None:
        return False
    if found.is_valid is None or not found.is_on_table:
        raise MigrationError(f"cannot create index {op.index_name}: another relation has that name. {_RENAME}")
    if found.is_valid:
        _refuse_another_definition(context, op, found)
        return True
    clear(context, op)
    return False


def clear(context: MigrationContext, op: CreateIndexOp) -> None:
    """Drop the index if it is there and invalid."""
    found = _find(context, op)
    if found is not None and found.is_valid is False and found.is_on_table:
        name = quoted(context, str(op.index_name), op.schema)
        log.warning("dropping the invalid index %s that an interruption has left", name)
        run(context, f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


_RENAME: Final = "Choose another name, or drop what is there in a revision before this one."


def _find(context: MigrationContext, op: CreateIndexOp) -> Found | None:
    where = {"index": op.index_name, "table": quoted(context, op.table_name, op.schema)}
    row = connection_of(context).execute(_FOUND, where).first()
    return Found(*row) if row else None


def _found_and_built(context: MigrationContext, op: CreateIndexOp) -> Found | None:
    polls = 0
    while (found := _find(context, op)) and found.builder is not None:
        if polls % _POLLS_PER_LINE == 0:
            log.info("waiting for process %d, which builds index %s", found.builder, op.index_name)
        polls += 1
        pause(context, _POLL_S)
    return found


def _refuse_another_definition(context: MigrationContext, op: CreateIndexOp, found: Found) -> None:
    wanted, there = _essence(_twin_definition(context, op)), _essence(found.definition or "")
    if wanted != there:
        raise MigrationError(
            f"cannot create index {op.index_name} on {op.table_name}: one of that name is there, and it is "
            f"{' '.join(there)}, not {' '.join(wanted)}. {_RENAME}"
        )


def _twin_definition(context: MigrationContext, op: CreateIndexOp) -> str:
    """Have the server write the definition that is wanted as it writes every other: on an empty twin of the table.

    It has the table's name, by which a condition may call the columns.
    """
    twin_name = quoted(context, op.table_name)
    run(context, f"CREATE TEMPORARY TABLE {twin_name} (LIKE {quoted(context, op.table_name, op.schema)})")
    try:
        options = {name: value for name, value in op.kw.items() if name != "postgresql_concurrently"}
        twin = CreateIndexOp(op.index_name, op.table_name, op.columns, schema="pg_temp", unique=op.unique, **options)
        context.impl.create_index(twin.to_index(context))
        return str(connection_of(context).scalar(_DEFINITION, {"index": op.index_name}))
    finally:
        run(context, f"DROP TABLE pg_temp.{twin_name}")


def _essence(definition: str) -> tuple[str, str]:
    kind, _, rest = definition.partition(" INDEX ")
    return kind.removeprefix("CREATE").strip() or "not unique", rest.partition(" USING ")[2]
