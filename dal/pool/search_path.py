"""Whether somebody else can put functions, operators and types where the statements of this role look for them.

What a search path finds before pg_catalog takes the place of PostgreSQL's own, `now()` and `=` among it; what it finds
after takes it where the arguments fit better (CVE-2018-1058). Calls in dal's own statements name pg_catalog; operators,
and what an application sends, do not. Refuses: changing the path; it is the application's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

from dal.errors import ConfigError
from dal.pool.ledger import logger

_OWN: Final = "pg_catalog"
# In the order in which they are searched, pg_catalog where it is; with whether everybody may create in them. This is
# read before anything is known of the path: nothing in it may be looked for there.
_SCHEMAS: Final = """
    SELECT s.schema::pg_catalog.text, pg_catalog.has_schema_privilege('public', s.schema::pg_catalog.text, 'CREATE')
    FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) WITH ORDINALITY AS s (schema, place) ORDER BY s.place
"""


async def look_at_path(driver: asyncpg.Connection, where: str) -> None:
    """Raise `ConfigError` for a path on which pg_catalog comes late, and warn of one on which everybody may create."""
    found = [(str(schema), bool(is_open)) for schema, is_open in await driver.fetch(_SCHEMAS)]
    # Functions and operators are never looked for in the session's own temporary schema.
    schemas = [(schema, is_open) for schema, is_open in found if not schema.startswith("pg_temp_")]
    refuse_late_catalog([schema for schema, _ in schemas], where)
    if is_open := [schema for schema, is_open in schemas if is_open]:
        logger.warning(open_to_everybody(is_open))


def refuse_late_catalog(schemas: Sequence[str], where: str) -> None:
    """Raise `ConfigError` unless pg_catalog is the first of *schemas*."""
    place = schemas.index(_OWN)
    if place:
        raise ConfigError(
            f"the search_path at {where} has {', '.join(schemas[:place])} before pg_catalog: what is created there "
            "takes the place of PostgreSQL's own functions and operators. Put pg_catalog first, or leave it out, which "
            "is the same: ALTER ROLE ... SET search_path, or server_settings."
        )


def open_to_everybody(schemas: Sequence[str]) -> str:
    """Say what is wrong with *schemas* that everybody may create in, and what to do."""
    named = ", ".join(schemas)
    return (
        f"everybody may create objects in {named}, which is in the search_path: functions and operators put there can "
        f"take the place of others in this role's statements. REVOKE CREATE ON SCHEMA {named} FROM PUBLIC."
    )
