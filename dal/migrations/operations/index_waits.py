"""Who an index that is built or dropped concurrently waits for: every transaction that is older than it."""

from __future__ import annotations

import logging
from typing import Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from dal.migrations.operations.sql import connection_of

_NAMED: Final = 5
# A transaction of less than a second will be gone. The ages are NULL for who may not see other roles' activity.
_OLD: Final = text("""
    SELECT pid, coalesce(nullif(application_name, ''), 'no name'), coalesce(state, 'unknown'),
        CAST(extract(epoch FROM clock_timestamp() - xact_start) AS float8)
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database()
        AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND xact_start < clock_timestamp() - interval '1 s'
    ORDER BY xact_start LIMIT :named
""")

log: Final = logging.getLogger("dal.migrations")


def log_who_is_waited_for(context: MigrationContext, what: str) -> None:
    """Log a line for each of the oldest transactions that *what* will wait for; one round trip."""
    for pid, application, state, age_s in connection_of(context).execute(_OLD, {"named": _NAMED}):
        log.info("%s waits for the end of process %d (%s), %s since %.0f s", what, pid, application, state, age_s)
