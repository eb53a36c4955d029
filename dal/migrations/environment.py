"""What an env.py needs, in one call: offline, from the `alembic` command, and on a connection that somebody gives."""

from __future__ import annotations

import asyncio
import logging.config

from alembic import context
from sqlalchemy import Connection, MetaData

from dal.config import DatabaseConfig, parse_url
from dal.database import Database
from dal.pool_config import PoolConfig

CONNECTION = "connection"


def run_env(target_metadata: MetaData) -> None:
    """Run the migrations that Alembic is about to run.

    On the connection that `dal.migrations.upgrade` put into the configuration, if it did; else on the database of
    `DAL_DATABASE_URL`, or of `sqlalchemy.url` in alembic.ini. Every revision has a transaction of its own.
    """
    given: Connection | None = context.config.attributes.get(CONNECTION)
    if given is not None:
        _run(given, target_metadata)
        return
    if context.config.config_file_name and context.config.file_config.has_section("loggers"):
        logging.config.fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql",
            target_metadata=target_metadata,
            literal_binds=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    else:
        asyncio.run(_connect_and_run(target_metadata))


async def _connect_and_run(target_metadata: MetaData) -> None:
    url = context.config.get_main_option("sqlalchemy.url")
    config = DatabaseConfig(url=parse_url(url)) if url else DatabaseConfig.from_env()
    async with (
        Database(DatabaseConfig(url=config.url, pool=PoolConfig(size=1), application_name="alembic")) as db,
        db.engine.connect() as connection,
    ):
        await connection.run_sync(_run, target_metadata)
        await connection.commit()


def _run(connection: Connection, target_metadata: MetaData) -> None:
    context.configure(connection=connection, target_metadata=target_metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
