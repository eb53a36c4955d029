"""A table as the database has it, by its name."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, MetaData, Table, inspect, text
from sqlalchemy.exc import SAWarning

from dal.cli.usage import Usage, near
from dal.database import Database

_ALL: Final = text(
    "SELECT nspname, relname, pg_catalog.pg_table_is_visible(c.oid) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE relkind IN ('r', 'p', 'f', 'v') AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') "
    "ORDER BY 1, 2"
)


async def reflected(db: Database, name: str, schema: str | None) -> Table:
    """Read the columns of a table, without the tables that it refers to.

    Names are taken as they are: `Order` is not `order`. Raises `Usage` for a table that is not there.
    """
    async with db.reading() as session:
        connection = await session.connection()
        return await connection.run_sync(_reflected, name, schema)


def refuse_unknown(table: Table, option: str, names: Iterable[str]) -> None:
    """Raise `Usage` for a column that *table* lacks."""
    for name in names:
        if name not in table.columns:
            raise Usage(
                f"{option} names {name!r}, which table {table.fullname!r} lacks.{near(name, table.columns.keys())}"
            )


def _reflected(connection: Connection, name: str, schema: str | None) -> Table:
    inspector = inspect(connection)
    views = inspector.get_view_names(schema) if schema is None or inspector.has_schema(schema) else []
    if not inspector.has_table(name, schema) and name not in views:
        raise Usage(_unknown(name, schema, connection.execute(_ALL).all()))
    with warnings.catch_warnings():
        # A type that SQLAlchemy does not know goes to the server as text.
        warnings.simplefilter("ignore", SAWarning)
        return Table(name, MetaData(), schema=schema, autoload_with=connection, resolve_fks=False)


def _unknown(name: str, schema: str | None, known: Sequence[Sequence[object]]) -> str:
    where = "" if schema is None else f" in schema {schema!r}"
    last = name.rpartition(".")[2].lower()
    found = list[tuple[float, str]]()
    for own_schema, own_name, is_visible in known:
        likeness = difflib.SequenceMatcher(None, last, str(own_name).lower()).ratio()
        if likeness > 0.6:  # noqa: PLR2004 # as difflib has it
            more = "" if is_visible and own_schema == "public" else f" --schema {own_schema}"
            found.append((-likeness, f"--table {own_name}{more}"))
    meant = f" Did you mean {', or '.join(each for _, each in sorted(found)[:3])}?" if found else ""
    return f"there is no table {name!r}{where}.{meant}"
