"""Names and statements as the operations send them, to a server or into a script."""

from __future__ import annotations

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, TextClause, text


def connection_of(context: MigrationContext) -> Connection:
    """Give the connection of a *context* that is online."""
    assert context.connection is not None  # noqa: S101 # only offline there is none
    return context.connection


def quoted(context: MigrationContext, name: str, schema: str | None = None) -> str:
    """Quote *name*, qualified by *schema*, where it must be."""
    preparer = context.dialect.identifier_preparer
    return f"{preparer.quote_schema(schema)}.{preparer.quote(name)}" if schema else preparer.quote(name)


def literal(value: str) -> str:
    """Write *value* as a string of SQL."""
    return "'" + value.replace("'", "''") + "'"


def run(context: MigrationContext, statement: str) -> None:
    """Run *statement* as it stands, or write it into the script."""
    if context.as_sql:
        context.impl.static_output(f"{statement};")  # compiled, its percent signs would be doubled
    else:
        connection_of(context).execute(verbatim(statement))


def verbatim(statement: str) -> TextClause:
    """Make a statement whose colons are colons."""
    return text(statement.replace(":", "\\:"))
