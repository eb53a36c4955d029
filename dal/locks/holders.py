"""Who holds an advisory lock, in words: processes, applications and ages, never a statement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from dal.errors import LockNotAvailable
from dal.locks.key import AdvisoryKey

# Runs a statement with positional parameters and gives its rows.
Fetch = Callable[..., Awaitable[Sequence[Any]]]

# A session's lock is as old as the rest of its connection, a transaction's at most as old as the transaction. The ages
# are NULL for who may not see other roles' activity.
_HOLDERS: Final = """
    SELECT pid, application_name, xact_start IS NOT NULL,
           extract(epoch FROM clock_timestamp() - coalesce(xact_start, state_change))::float8
    FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND classid = $1 AND objid = $2 AND objsubid = $3
      AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY 4 DESC NULLS LAST
"""
_NAMED: Final = 3


async def not_available(fetch: Fetch, key: AdvisoryKey, waited_s: float) -> LockNotAvailable:
    """Make the error of a lock that was not free for *waited_s*; one round trip."""
    rows = await fetch(_HOLDERS, *key.in_pg_locks)
    holders = "; ".join(_named(*row) for row in rows[:_NAMED]) or "somebody who has let go of it just now"
    more = f", and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    when = f"was not free within {waited_s:.2f} s" if waited_s else "is not free"
    error = LockNotAvailable(
        f"{key.words} {when}. Held by {holders}{more}. Wait for longer, or look at what keeps the holder."
    )
    error.sqlstate = "55P03"
    return error


def _named(pid: int, application: str | None, in_transaction: bool, age_s: float | None) -> str:  # noqa: FBT001 # a row
    words = f"process {pid} of {application!r}" if application else f"process {pid}"
    if age_s is None:
        return words
    return f"{words}, {'in a transaction' if in_transaction else 'idle'} for {age_s:.2f} s"
