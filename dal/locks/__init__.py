"""Locks: on rows, and by name."""

from dal.locks.row import RowLock, Strength, row_lock

__all__ = ["RowLock", "Strength", "row_lock"]
