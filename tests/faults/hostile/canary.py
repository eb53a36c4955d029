"""What must be the same after every hostile input: a table and a role that nobody asks for, and the catalogs."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from tests.faults.hostile.part import Found

ROLE: Final = "dal_hostile_canary"

# `play` is where the doors may make tables and rows; in all other schemas they may not.
SETUP: Final = f"""
DROP SCHEMA IF EXISTS vault CASCADE; DROP SCHEMA IF EXISTS play CASCADE;
CREATE SCHEMA vault; CREATE SCHEMA play;
CREATE TABLE vault.canary (id int PRIMARY KEY, song text NOT NULL);
INSERT INTO vault.canary SELECT n, 'tweet ' || n FROM generate_series(1, 20) n;
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN CREATE ROLE {ROLE}; END IF; END $$;
"""

_SUMS: Final[dict[str, str]] = {
    "the canary's rows": "SELECT id, song FROM vault.canary ORDER BY id",
    "the relations": """
        SELECT nspname, relname, relkind, relowner, relacl::text, relhastriggers, relrowsecurity FROM pg_class c
        JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname !~ '^(pg_temp|pg_toast|play$)' ORDER BY 1, 2""",
    "the columns": """
        SELECT attrelid::regclass::text, attname, atttypid, attnotnull FROM pg_attribute a
        JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname IN ('public', 'vault') AND attnum > 0 ORDER BY 1, 2""",
    "the roles": "SELECT a::text FROM pg_authid a WHERE rolname !~ '^dal_test_' ORDER BY 1",
    "the members": "SELECT roleid, member FROM pg_auth_members ORDER BY 1, 2",
    "the settings": "SELECT name, setting FROM pg_settings WHERE source <> 'session' "
    "AND category !~ 'Preset' ORDER BY 1",
    "the settings of roles": "SELECT s::text FROM pg_db_role_setting s WHERE setdatabase IN "
    "(0, (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY 1",
    "the settings' files": "SELECT name, setting FROM pg_file_settings ORDER BY seqno",
    "the functions": "SELECT oid, proname FROM pg_proc WHERE oid >= 16384 ORDER BY 1",
    "the schemas": "SELECT nspname, nspowner, nspacl::text FROM pg_namespace "
    "WHERE nspname !~ '^pg_(temp|toast)' ORDER BY 1",
    "the triggers and rules": "SELECT (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_rewrite)",
    "the notes": "SELECT n::text FROM note n ORDER BY 1",
    "what is locked": "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())",
}


class Canary:
    """Looks at all of it by a connection of its own; the connections of dal's are looked at by `settled`."""

    def __init__(self, outside: asyncpg.Connection) -> None:
        self._outside = outside
        self._before: dict[str, Any] = {}

    async def perch(self) -> None:
        """Remember how it is."""
        self._before = await self._look()

    async def check(self) -> None:
        """Raise `Found` where it is otherwise; what it is now is remembered."""
        before, now = self._before, await self._look()
        self._before = now
        changed = [name for name in _SUMS if before[name] != now[name]]
        if changed:
            raise Found(f"changed: {', '.join(changed)}")

    async def settled(self, driver: asyncpg.Connection) -> None:
        """Raise `Found` where a connection that comes from the pool has kept something of who had it before."""
        found = await driver.fetchrow(
            "SELECT current_setting('app.canary', true) AS sung, current_user AS is_user, session_user AS is_session, "
            "current_setting('search_path') AS path, current_setting('app.tenant', true) AS tenant"
        )
        if found["sung"] or found["tenant"] or found["is_user"] != found["is_session"] or "play" in found["path"]:
            raise Found(f"a connection of the pool has kept {dict(found)}")

    async def _look(self) -> dict[str, Any]:
        return {name: [tuple(row) for row in await self._outside.fetch(sql)] for name, sql in _SUMS.items()}
