"""The SQL that brings rows from a staging table into the table: at once, or, where one is refused, by halving.

Pure. A function of PL/pgSQL in the session's temporary schema tries a range of rows in a subtransaction; if the server
refuses, it tries both halves, down to the single rows that are refused, whose reasons it writes down. So the server is
the only judge, and every reason is its own.
"""

# ruff: noqa: S608 # of names that are quoted, and expressions of the catalog

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

RECORD: Final = "dal_record"
ROW: Final = "dal_row"

# Errors that are not a row's fault, by the class of their SQLSTATE: connections, transactions, privileges, syntax,
# resources, limits of the system, cancellations, the server's own.
NOT_A_ROWS: Final = ("08", "0A", "25", "28", "3B", "3D", "40", "42", "53", "55", "57", "58", "F0", "XX")


@dataclass(frozen=True, slots=True)
class Publication:
    """From a staging table into a table: names as SQL has them; `values` are expressions over the staging table.

    `checks` are for each value a name and an expression that raises where a text is no value of its column.
    """

    staging: str
    target: str
    columns: Sequence[str]
    values: Sequence[str]
    conflict: str = ""
    fresh: str | None = None
    is_ordered: bool = True
    checks: Sequence[tuple[str, str]] = ()

    def insert(self, where: str) -> str:
        """Insert the rows of which *where* is true, in the order of the records unless that is theirs already."""
        order = f"ORDER BY s.{RECORD} " if self.is_ordered else ""
        return (
            f"INSERT INTO {self.target} ({', '.join(self.columns)}) OVERRIDING SYSTEM VALUE "
            f"SELECT {', '.join(self.values)} FROM {self.staging} s WHERE {where} {order}{self.conflict}"
        )

    def counted(self, where: str) -> str:
        """Do the same, and count what was inserted, and all that was written."""
        insert = f"{self.insert(where)} RETURNING {self.fresh or 'true'}"
        return (
            f"WITH w (fresh) AS ({insert}) SELECT count(*) FILTER (WHERE fresh) AS inserted, count(*) AS written FROM w"
        )


def halving(name: str, publication: Publication, rejects: str) -> str:
    """Define a function of the first and last row: it counts what it inserts and writes; all else is in *rejects*."""
    return f"""
CREATE FUNCTION pg_temp.{name}(dal_first bigint, dal_last bigint) RETURNS bigint[] LANGUAGE plpgsql AS $dal$
#variable_conflict use_column
<<v>>
DECLARE
    inserted bigint; written bigint; low bigint[]; high bigint[];
    middle bigint := ({name}.dal_first + {name}.dal_last) / 2;
    state text; said text; named text; broken text;
BEGIN
    BEGIN
        {_counting(publication, f"s.{ROW} BETWEEN {name}.dal_first AND {name}.dal_last")}
        RETURN ARRAY[v.inserted, v.written];
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT,
            named = COLUMN_NAME, broken = CONSTRAINT_NAME;
        IF pg_catalog.left(v.state, 2) IN ({", ".join(map(literal, NOT_A_ROWS))}) THEN
            RAISE;
        END IF;
    END;
    IF {name}.dal_first < {name}.dal_last THEN
        low := pg_temp.{name}({name}.dal_first, v.middle);
        high := pg_temp.{name}(v.middle + 1, {name}.dal_last);
        RETURN ARRAY[v.low[1] + v.high[1], v.low[2] + v.high[2]];
    END IF;
    {_checks(publication, f"s.{ROW} = {name}.dal_first")}
    INSERT INTO {rejects}
        SELECT s.{RECORD}, v.state, v.said, nullif(v.named, ''), nullif(v.broken, '')
        FROM {publication.staging} s WHERE s.{ROW} = {name}.dal_first;
    RETURN ARRAY[0, 0];
END $dal$"""


def _counting(publication: Publication, where: str) -> str:
    if publication.fresh is None:
        return f"{publication.insert(where)}; GET DIAGNOSTICS written = ROW_COUNT; inserted := v.written;"
    return publication.counted(where).replace(" FROM w", " INTO v.inserted, v.written FROM w") + ";"


def _checks(publication: Publication, here: str) -> str:
    """Find the column of a text that is no value: the server names none."""
    return "\n    ".join(
        f"""IF v.named = '' AND pg_catalog.left(v.state, 2) = '22' THEN
        BEGIN
            PERFORM {check} FROM {publication.staging} s WHERE {here};
        EXCEPTION WHEN data_exception THEN
            named := {literal(name)};
        END;
    END IF;"""
        for name, check in publication.checks
    )


# Of the table that it writes to.
REASONS: Final = f'{RECORD} bigint, state text, said text, "column" text, "constraint" text'


def literal(text: str) -> str:
    """Quote a text, as SQL has it wherever standard_conforming_strings is on."""
    return "'" + text.replace("'", "''") + "'"
