"""dal: an async data-access layer for PostgreSQL on SQLAlchemy, asyncpg and Alembic."""

from dal.collector import tune_gc
from dal.config import DatabaseConfig
from dal.database import Database
from dal.errors import DALError
from dal.lazy_loading import Lazy, lazy
from dal.loading import Plan, load
from dal.observer import Attempt, Observer
from dal.pool_config import PoolConfig
from dal.repository import Repository
from dal.transaction import Outcome, Retry
from dal.transactional import transactional
from dal.unit_of_work import UnitOfWork

__all__ = [
    "Attempt",
    "DALError",
    "Database",
    "DatabaseConfig",
    "Lazy",
    "Observer",
    "Outcome",
    "Plan",
    "PoolConfig",
    "Repository",
    "Retry",
    "UnitOfWork",
    "lazy",
    "load",
    "transactional",
    "tune_gc",
]
