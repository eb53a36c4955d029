"""Records that meet the rows they are about: skipped, or the rows updated, in one statement from the staging table."""

# ruff: noqa: S608 # of names that are quoted, and expressions that SQLAlchemy has compiled

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ClauseElement, Column, Table, literal
from sqlalchemy.engine import Dialect

from dal.copy.asked import Conflict
from dal.copy.publishing import RECORD
from dal.copy.suspects import quoted
from dal.errors import CopyError

# The first version whose RETURNING knows the row as it was.
_KNOWS_OLD: Final = (18,)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a conflict comes to, as SQL has it: the columns of the key, quoted, and the clause of the INSERT.

    `fresh` tells, of a row that was written, whether it was inserted; None where none is updated. Only what is greater
    than any row's `watermark`, a column, is new.
    """

    key: Mapping[str, str]
    clause: str = ""
    fresh: str | None = None
    watermark: str | None = None

    def not_new(self, staging: str, target: str) -> str:
        """Delete what is not behind the watermark; where there is no row, all of it is new."""
        greatest = f"(SELECT pg_catalog.max({self.watermark}) FROM {target})"
        return f"DELETE FROM {staging} s WHERE {greatest} IS NOT NULL AND (s.{self.watermark} > {greatest}) IS NOT TRUE"

    def duplicates(self, staging: str, *, last: bool, is_known: bool) -> str:
        """Delete all records of a key but the last one, or the first; those without a key only if it is to be known."""
        keys = ", ".join(self.key.values())
        order = "DESC" if last else "ASC"
        numbered = f"row_number() OVER (PARTITION BY {keys} ORDER BY {RECORD} {order}) AS dal_n"
        known = self._known(is_known=is_known)
        return (
            f"DELETE FROM {staging} s USING (SELECT {RECORD}, {numbered} FROM {staging} WHERE {known}) x "
            f"WHERE x.{RECORD} = s.{RECORD} AND dal_n > 1"
        )

    def _known(self, *, is_known: bool) -> str:
        return " AND ".join(f"{name} IS NOT NULL" for name in self.key.values()) if is_known else "true"

    def first_pair(self, staging: str, *, is_known: bool) -> str:
        """Find two records with the same key."""
        keys = ", ".join(self.key.values())
        known = self._known(is_known=is_known)
        return (
            f"SELECT pg_catalog.min({RECORD}) AS one, pg_catalog.max({RECORD}) AS other FROM {staging} WHERE {known} "
            f"GROUP BY {keys} HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
        )


def settlement_of(conflict: Conflict, table: Table, given: Mapping[str, Column[Any]], dialect: Dialect) -> Settlement:
    """Spell what is asked for; *given* are the columns that the records have. Raises `CopyError` where it cannot be."""
    if not conflict.is_staged:
        return Settlement({})
    on = list(conflict.on) or [column.name for column in table.primary_key.columns]
    _refuse_unknown(on, given, table)
    if conflict.action == "append_only_new":
        return Settlement({}, watermark=quoted(_the_only(on)))
    key = {name: quoted(name) for name in on}
    arbiter = f"ON CONFLICT ({', '.join(key.values())})"
    if conflict.action == "skip":
        return Settlement(key, f"{arbiter} DO NOTHING")
    update = [name for name in given if name not in on] if conflict.update is None else list(conflict.update)
    _refuse_unknown(update, given, table)
    values = {name: f"excluded.{quoted(name)}" for name in update} | _on_update(table, {*update, *on}, dialect)
    if not values:
        return Settlement(key, f"{arbiter} DO NOTHING")
    sets = ", ".join(f"{quoted(name)} = {value}" for name, value in values.items())
    where = "" if conflict.where is None else f" WHERE {spelt(conflict.where(table.alias('excluded')), dialect)}"
    knows_old = (dialect.server_version_info or ()) >= _KNOWS_OLD and table.name != "old"
    fresh = f"old.{key[on[0]]} IS NULL" if knows_old else "xmax = 0"
    return Settlement(key, f"{arbiter} DO UPDATE SET {sets}{where}", fresh)


def _refuse_unknown(names: list[str], given: Mapping[str, Any], table: Table) -> None:
    if not names:
        raise CopyError(f"table {table.fullname!r} has no primary key: name the columns of a unique key by on=.")
    for name in names:
        if name not in given:
            raise CopyError(f"on= and update= name {name!r}, which the records do not bring. Nothing was loaded.")


def _the_only(names: list[str]) -> str:
    if len(names) > 1:
        raise CopyError(f"on_conflict='append_only_new' goes by one column, not by {', '.join(names)}: name it by on=.")
    return names[0]


def _on_update(table: Table, named: set[str], dialect: Dialect) -> dict[str, str]:
    """Give what the columns' `onupdate` says, once for the whole load."""
    found: dict[str, str] = {}
    for column in table.columns:
        default: Any = column.onupdate
        if default is None or column.name in named:
            continue
        value = default.arg(None) if default.is_callable else default.arg
        expression = value if isinstance(value, ClauseElement) else literal(value, column.type)
        found[column.name] = spelt(expression, dialect)
    return found


def spelt(expression: ClauseElement, dialect: Dialect) -> str:
    """Compile an expression, values and all: a function of the server's takes no parameters."""
    return str(expression.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
