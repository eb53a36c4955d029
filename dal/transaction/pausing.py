"""Whether a transaction may give its connection back halfway: not if anything of it would be lost or seen too early."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from dal.errors import UnitOfWorkError

# Each write, and each row that is locked, leaves a lock on its table until the end; a sequence's number is gone anyhow.
_STATE: Final = text("""
    SELECT pg_catalog.current_setting('transaction_isolation'), (
        SELECT CASE locktype WHEN 'advisory' THEN 'an advisory lock' ELSE relation::regclass::text END
        FROM pg_locks LEFT JOIN pg_class ON pg_class.oid = relation
        WHERE pid = pg_backend_pid() AND coalesce(relkind NOT IN ('S', 'i', 'I'), true)
          AND (locktype = 'advisory' OR locktype = 'relation' AND mode NOT IN ('AccessShareLock', 'SIReadLock'))
        LIMIT 1)
""")


async def refuse_to_pause(session: AsyncSession) -> None:
    """Raise `UnitOfWorkError` for a transaction that has written, locked, or promised one snapshot; one round trip."""
    if session.in_nested_transaction():
        raise UnitOfWorkError("the connection cannot be given back inside a savepoint: the savepoint would be gone.")
    unsaved = len(session.new) + len(session.dirty) + len(session.deleted)
    if unsaved:
        raise UnitOfWorkError(
            f"{unsaved} changed entities are not written yet: give the connection back before the first change."
        )
    isolation, held = (await session.execute(_STATE)).one()
    if held is not None:
        raise UnitOfWorkError(
            f"the connection cannot be given back before the end: the transaction has written to, or locked: {held}."
        )
    if isolation not in {"read committed", "read uncommitted"}:
        raise UnitOfWorkError(
            f"the connection cannot be given back before the end: the transaction is {isolation}, and would go on "
            "in another snapshot."
        )
