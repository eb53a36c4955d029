"""Locks: on rows, and by name."""

from dal.locks.key import AdvisoryKey, Name, patience_s
from dal.locks.of_session import HeldLock, held
from dal.locks.of_transaction import lock_until_end
from dal.locks.row import RowLock, Strength, row_lock

__all__ = [
    "AdvisoryKey",
    "HeldLock",
    "Name",
    "RowLock",
    "Strength",
    "held",
    "lock_until_end",
    "patience_s",
    "row_lock",
]
