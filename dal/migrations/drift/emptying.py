"""What is in a database that was empty, and how it becomes so again.

Refuses: what belongs to an extension that was there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

_SYSTEM: Final = "nspname NOT IN ('pg_catalog', 'information_schema', 'public') AND nspname !~ '^pg_'"
_NOT_MEMBER: Final = """
    NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = {0}::regclass AND d.objid = {1} AND d.deptype IN ('e', 'i'))
"""
# By schemas, and in those that stay, by relations, types and functions.
_OBJECTS: Final = f"""
    SELECT 'SCHEMA', pg_catalog.quote_ident(nspname) FROM pg_namespace n
    WHERE {_SYSTEM} AND {_NOT_MEMBER.format("'pg_namespace'", "n.oid")}
    UNION ALL
    SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
        WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, c.oid::regclass::text
    FROM pg_class c WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    AND relnamespace = pg_catalog.to_regnamespace('public')
    AND {_NOT_MEMBER.format("'pg_class'", "c.oid")}
    UNION ALL
    SELECT CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, t.oid::regtype::text
    FROM pg_type t WHERE typnamespace = pg_catalog.to_regnamespace('public') AND (typtype IN ('d', 'e', 'r')
        OR typtype = 'c' AND (SELECT relkind = 'c' FROM pg_class WHERE oid = typrelid))
    AND {_NOT_MEMBER.format("'pg_type'", "t.oid")}
    UNION ALL
    SELECT 'ROUTINE', p.oid::regprocedure::text FROM pg_proc p
    WHERE pronamespace = pg_catalog.to_regnamespace('public') AND {_NOT_MEMBER.format("'pg_proc'", "p.oid")}
"""  # noqa: S608 # made of constants


async def objects(driver: asyncpg.Connection) -> list[tuple[str, str]]:
    """List kind and name of what is there beside extensions and what belongs to them."""
    return [(kind, name) for kind, name in await driver.fetch(_OBJECTS)]


async def extensions(driver: asyncpg.Connection) -> list[str]:
    """Name the extensions."""
    return [name for (name,) in await driver.fetch("SELECT extname FROM pg_extension")]


async def statements_to_empty(driver: asyncpg.Connection, before: Sequence[str]) -> str:
    """Write what drops all objects, and the extensions that were not there *before*."""
    new = "SELECT 'EXTENSION', pg_catalog.quote_ident(extname) FROM pg_extension WHERE extname <> ALL ($1::text[])"
    dropped = [*await objects(driver), *await driver.fetch(new, list(before))]
    # One may be gone with another.
    return ";".join(f"DROP {kind} IF EXISTS {name} CASCADE" for kind, name in dropped)
