"""The connection pool, and who holds its connections."""

from dal.pool.lease import Lease
from dal.pool.queue_pool import LeasedQueuePool

__all__ = ["Lease", "LeasedQueuePool"]
