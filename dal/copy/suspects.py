"""Which rows of a staging table may be refused by the table: by its constraints, as the server's catalog has them.

Pure, but for the one statement that reads the catalog. It may name rows that are well, and need not name all that are
not: those who are named are tried one after the other, and the rest at once. What it names is found for all rows
together, since to find each of one in a hundred by halving would cost five times as much.
"""

# ruff: noqa: S608 # of names that are quoted, and expressions of the catalog

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dal.copy.publishing import RECORD

# Of a table: its columns that must have a value, its CHECKs and foreign keys, and its unique indexes.
CATALOG: Final = """
WITH names AS (SELECT attrelid, attnum, attname::text AS name FROM pg_attribute WHERE attnum > 0)
SELECT 'not null' AS kind, ARRAY[attname::text] AS columns, NULL AS said, NULL::text AS target, NULL::text[] AS keys,
    false AS is_own
FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND attnotnull AND NOT attisdropped
UNION ALL
SELECT 'check', (SELECT pg_catalog.array_agg(name) FROM names WHERE attrelid = conrelid AND attnum = ANY (conkey)),
    pg_catalog.pg_get_expr(conbin, conrelid), NULL, NULL, false
FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype = 'c'
UNION ALL
SELECT 'foreign key',
    (SELECT pg_catalog.array_agg(name ORDER BY place)
        FROM pg_catalog.unnest(conkey) WITH ORDINALITY AS k (attnum, place)
        JOIN names USING (attnum) WHERE attrelid = conrelid),
    NULL, confrelid::regclass::text,
    (SELECT pg_catalog.array_agg(name ORDER BY place)
        FROM pg_catalog.unnest(confkey) WITH ORDINALITY AS k (attnum, place)
        JOIN names USING (attnum) WHERE attrelid = confrelid), confrelid = conrelid
FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype = 'f'
UNION ALL
SELECT 'unique', (SELECT pg_catalog.array_agg(name) FROM names WHERE attrelid = indrelid AND attnum = ANY (indkey)),
    pg_catalog.pg_get_expr(indpred, indrelid), NULL,
    (SELECT pg_catalog.array_agg(pg_catalog.pg_get_indexdef(indexrelid, n, true) ORDER BY n)
        FROM pg_catalog.generate_series(1, indnkeyatts) AS n), false
FROM pg_index WHERE indrelid = $1::text::regclass AND indisunique
"""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A row of the catalog: `columns` are those that it speaks of, `keys` what is unique or referred to.

    One that `is_own` refers to its own table.
    """

    kind: str
    columns: Sequence[str] | None
    said: str | None
    target: str | None
    keys: Sequence[str] | None
    is_own: bool


def suspects(
    constraints: Sequence[Constraint], staging: str, target: str, given: Mapping[str, str], arbiter: Collection[str]
) -> str | None:
    """Select the records of *staging* that may be refused; None if no constraint says anything.

    *given* are the columns that the records have, each with its name quoted. A key that decides what is a conflict, the
    *arbiter*, refuses nobody.
    """
    alone, found = [], []
    for each in constraints:
        if each.columns is None or not set(each.columns) <= set(given):
            continue  # what the server fills in is not known yet
        if each.kind == "not null":
            alone.append(f"{given[each.columns[0]]} IS NULL")
        elif each.kind == "check":
            alone.append(f"NOT ({each.said})")
        elif each.kind == "foreign key":
            found.append(_without_parent(each, staging, given))
        elif set(each.columns) != set(arbiter):
            found += _not_alone(each, staging, target)
    if alone:
        found.append(f"SELECT {RECORD} FROM {staging} WHERE {' OR '.join(alone)}")
    return " UNION ALL ".join(found) or None


def _without_parent(each: Constraint, staging: str, given: Mapping[str, str]) -> str:
    own = [f"s.{given[name]}" for name in each.columns or ()]
    keys = [quoted(name) for name in each.keys or ()]
    same = " AND ".join(f"r.{key} = {name}" for key, name in zip(keys, own, strict=True))
    known = " AND ".join(f"{name} IS NOT NULL" for name in own)
    missing = f"NOT EXISTS (SELECT FROM {each.target} r WHERE {same})"
    if each.is_own and set(each.keys or ()) <= set(given):
        missing += f" AND NOT EXISTS (SELECT FROM {staging} r WHERE {same})"  # or in the same load
    return f"SELECT s.{RECORD} FROM {staging} s WHERE {known} AND {missing}"


def _not_alone(each: Constraint, staging: str, target: str) -> list[str]:
    """Find those whose key the table has, and all but the first of those that share one."""
    keys = ", ".join(f"{key} AS dal_k{n}" for n, key in enumerate(each.keys or ()))
    names = [f"dal_k{n}" for n in range(len(each.keys or ()))]
    where = f" WHERE {each.said}" if each.said else ""
    own = f"(SELECT {RECORD}, {keys} FROM {staging}{where}) s"
    same = " AND ".join(f"t.{name} = s.{name}" for name in names)
    known = " AND ".join(f"{name} IS NOT NULL" for name in names)
    numbered = f"row_number() OVER (PARTITION BY {', '.join(names)} ORDER BY {RECORD})"
    return [
        f"SELECT s.{RECORD} FROM {own} WHERE EXISTS (SELECT FROM (SELECT {keys} FROM {target}{where}) t WHERE {same})",
        f"SELECT {RECORD} FROM (SELECT {RECORD}, {numbered} AS dal_n FROM {own} WHERE {known}) n WHERE dal_n > 1",
    ]


def quoted(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def constraints_of(rows: Sequence[Any]) -> list[Constraint]:
    """Take what `CATALOG` gave."""
    return [Constraint(**row) for row in rows]
