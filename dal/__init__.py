"""dal: an async data-access layer for PostgreSQL on SQLAlchemy, asyncpg and Alembic."""

from dal.config import DatabaseConfig
from dal.database import Database
from dal.errors import DALError
from dal.pool_config import PoolConfig
from dal.repository import Repository
from dal.unit_of_work import UnitOfWork

__all__ = ["DALError", "Database", "DatabaseConfig", "PoolConfig", "Repository", "UnitOfWork"]
