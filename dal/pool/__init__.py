"""The connection pool, and who holds its connections."""

from dal.pool.connection import Connection, TransactionNumber
from dal.pool.keepalive import keep_alive
from dal.pool.last_words import listen_for_last_words
from dal.pool.lease import Lease
from dal.pool.limits import warn_of_limits
from dal.pool.listeners import listen
from dal.pool.place import Place
from dal.pool.plain_text import warn_of_plain_text
from dal.pool.priority import first_in_line, is_first_in_line
from dal.pool.queue_pool import LeasedQueuePool, living_pools
from dal.pool.search_path import look_at_path
from dal.pool.status import Histogram, PoolStatus, Totals

__all__ = [
    "Connection",
    "Histogram",
    "Lease",
    "LeasedQueuePool",
    "Place",
    "PoolStatus",
    "Totals",
    "TransactionNumber",
    "first_in_line",
    "is_first_in_line",
    "keep_alive",
    "listen",
    "listen_for_last_words",
    "living_pools",
    "look_at_path",
    "warn_of_limits",
    "warn_of_plain_text",
]
