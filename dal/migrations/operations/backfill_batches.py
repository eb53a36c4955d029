"""The statement of one batch: it finds the end of the batch, updates, and writes down how far it came, all at once.

Pure. In one statement, hence on one snapshot: between the batch's two ends lie as many rows as were counted, and a row
that somebody changes meanwhile is held against the condition again as it is then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    TextClause,
    column,
    literal,
    literal_column,
    null,
    table,
    update,
)
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import CompileError
from sqlalchemy.sql.elements import Grouping

from dal.errors import MigrationError
from dal.migrations.operations.backfill_key import KeyColumn
from dal.migrations.operations.sql import verbatim

# The one that doubles no percent signs.
_DIALECT: Final = PGDialect_asyncpg()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it so


@dataclass(frozen=True)
class Change:
    """What is written, into which table and in which of its rows."""

    table_name: str
    schema: str | None
    values: Mapping[str, Any]
    where: str | TextClause | ColumnElement[bool] | None

    @property
    def table(self) -> str:
        """The table's name in SQL."""
        return _DIALECT.identifier_preparer.format_table(table(self.table_name, schema=self.schema))

    @property
    def name(self) -> str:
        """Name the change: another one of the same table has another name, and does not go on where this one was."""
        return f"{self.table} {hashlib.sha256(self.update().encode()).hexdigest()[:16]}"

    def update(self, within: str | None = None) -> str:
        """Write the UPDATE, for rows *within* a condition only."""
        changed = table(self.table_name, *map(column, self.values), schema=self.schema)
        statement = update(changed).values({name: _as_sql(value) for name, value in self.values.items()})
        for condition in (self._where(), _verbatim(within)):
            if condition is not None:
                statement = statement.where(condition)
        try:
            return str(statement.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))
        except CompileError as error:
            raise MigrationError(
                f"op.backfill of {self.table}: a value for {', '.join(self.values)} has no form in SQL that is known. "
                "Write it as SQL: sa.text(\"CAST('...' AS ...)\")."
            ) from error

    def _where(self) -> ColumnElement[bool] | None:
        """Give the condition in parentheses, which SQLAlchemy sets around no text; a string's colons are colons."""
        if self.where is None:
            return None
        return Grouping(verbatim(self.where) if isinstance(self.where, str) else self.where)


def batch(change: Change, key: Sequence[KeyColumn], rows: int, progress_table: str, *, is_first: bool) -> str:
    """Write the statement of a batch; $1 is the name of the change, $2 the end of the batch before.

    It gives the new end and the rows read and changed so far, or no row at the end of the table.
    """
    names = keys(key)
    after = "" if is_first else f"({names}) > ({_marker(key)})"
    # The parts are names that are quoted, types as the server writes them, and what the revision says.
    end = ", ".join(f"(SELECT {quote(one.name)} FROM dal_end)" for one in key)  # noqa: S608 # see above
    until = f"({names}) <= ({end})"
    within = " AND ".join(filter(None, [after, until]))
    return f"""
        WITH dal_batch AS MATERIALIZED (
            SELECT {names} FROM {change.table} {after and f"WHERE {after}"} ORDER BY {names} LIMIT {rows}
        ), dal_end AS MATERIALIZED (
            SELECT {names} FROM dal_batch ORDER BY {keys(key, " DESC")} LIMIT 1
        ), dal_changed AS (
            {change.update(within)} RETURNING 1
        )
        INSERT INTO {progress_table} AS dal_progress (name, marker, rows_read, rows_changed)
        SELECT $1, ARRAY[{", ".join(f"CAST({quote(one.name)} AS text)" for one in key)}],
            (SELECT count(*) FROM dal_batch), (SELECT count(*) FROM dal_changed)
        FROM dal_end
        ON CONFLICT (name) DO UPDATE SET marker = excluded.marker, changed_at = now(),
            rows_read = dal_progress.rows_read + excluded.rows_read,
            rows_changed = dal_progress.rows_changed + excluded.rows_changed
        RETURNING marker, rows_read, rows_changed
    """  # noqa: S608 # see above


def script(change: Change, key: Sequence[str], rows: int, pause_s: float) -> list[str]:
    """Write the statements that do the same without a client; they begin anew when they are run again."""
    columns = [quote(name) for name in key]
    names, low, high = (", ".join(part) for part in (columns, _variables("low", key), _variables("high", key)))
    after = f"(dal_low_1 IS NULL OR ({names}) > ({low}))"
    types = "".join(
        f"    dal_{end}_{place} {change.table}.{name}%TYPE;\n"
        for end in ("low", "high")
        for place, name in enumerate(columns, 1)
    )
    descending = ", ".join(f"{name} DESC" for name in columns)
    loop = f"""DO $dal$
DECLARE
{types}BEGIN
    LOOP
        SELECT {names} INTO {high} FROM (
            SELECT {names} FROM {change.table} WHERE {after} ORDER BY {names} LIMIT {rows}
        ) AS dal_batch ORDER BY {descending} LIMIT 1;
        EXIT WHEN NOT FOUND;
        {change.update(f"{after} AND ({names}) <= ({high})")};
        COMMIT;
        SELECT {high} INTO {low};
        PERFORM pg_catalog.pg_sleep({pause_s});
    END LOOP;
END
$dal$"""  # noqa: S608 # quoted names, and what the revision says
    # A plan for any bounds would read the table from its beginning for every batch.
    return ["SET plan_cache_mode = force_custom_plan", loop, "RESET plan_cache_mode"]


def keys(key: Sequence[KeyColumn], order: str = "") -> str:
    """Write the columns of a key, each in *order*."""
    return ", ".join(quote(one.name) + order for one in key)


def quote(name: str) -> str:
    """Quote the name of a column where it must be."""
    return _DIALECT.identifier_preparer.quote(name)


def _marker(key: Sequence[KeyColumn]) -> str:
    return ", ".join(f"CAST((CAST($2 AS text[]))[{place}] AS {one.type})" for place, one in enumerate(key, 1))


def _variables(end: str, key: Sequence[str]) -> list[str]:
    return [f"dal_{end}_{place}" for place in range(1, len(key) + 1)]


def _verbatim(condition: str | None) -> ColumnElement[bool] | None:
    return None if condition is None else literal_column(condition)


def _as_sql(value: Any) -> Any:
    if value is None:
        return null()
    return value if isinstance(value, ClauseElement) else literal(value)
