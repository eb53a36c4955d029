"""What an env.py needs, in one call: offline, from the `alembic` command, and on a connection that somebody gives."""

from __future__ import annotations

import asyncio
import logging.config
from collections.abc import Callable, Sequence
from typing import Any, Final, TypedDict, Unpack

from alembic import context
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData

from dal.config import DatabaseConfig, parse_url
from dal.database import Database
from dal.errors import MigrationError
from dal.migrations.migrator import migrator
from dal.migrations.operations import PLUGINS
from dal.migrations.options import Patience
from dal.migrations.plan import Plan
from dal.pool_config import PoolConfig

# What `dal.migrations` puts into the attributes of a configuration.
CONNECTION: Final = "connection"
SCHEMA: Final = "schema"
REVISED: Final = "revised"
PLAN: Final = "plan"


class EnvOptions(TypedDict, total=False):
    """What is Alembic's to say of autogenerate, as in `EnvironmentContext.configure`."""

    include_name: Callable[..., bool]
    include_object: Callable[..., bool]
    include_schemas: bool
    render_item: Callable[..., Any]
    process_revision_directives: Callable[..., None]
    compare_type: bool | Callable[..., Any]
    compare_server_default: bool | Callable[..., Any]
    version_table: str
    version_table_schema: str


def run_env(target_metadata: MetaData | Sequence[MetaData], **options: Unpack[EnvOptions]) -> None:
    """Run the migrations that Alembic is about to run.

    On the connection that `dal.migrations.upgrade` put into the configuration, if it did; else on the database of
    `DAL_DATABASE_URL`, or of `sqlalchemy.url` in alembic.ini, where the `alembic` command is careful about locks and
    other migrators, too. Every revision has a transaction of its own.
    """
    environment = _Environment(target_metadata, options)
    given: Connection | None = context.config.attributes.get(CONNECTION)
    if given is not None:
        environment.run(given)
        return
    if context.config.config_file_name and context.config.file_config.has_section("loggers"):
        logging.config.fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    if context.is_offline_mode():
        environment.render()
    else:
        _refuse_a_running_loop()
        asyncio.run(environment.connect_and_run())


class _Environment:
    def __init__(self, target_metadata: MetaData | Sequence[MetaData], options: EnvOptions) -> None:
        schema: str | None = context.config.attributes.get(SCHEMA)
        self._schema = schema
        within = {} if schema is None else {"version_table_schema": schema}
        self._configured: dict[str, Any] = {
            "target_metadata": target_metadata,
            "transaction_per_migration": True,
            "compare_type": True,
            "compare_server_default": True,
            "autogenerate_plugins": PLUGINS,
            **options,
            **within,
        }

    def render(self) -> None:
        context.configure(dialect_name="postgresql", literal_binds=True, **self._configured)
        with context.begin_transaction():
            context.run_migrations()

    def run(self, connection: Connection) -> None:
        revised = context.config.attributes.get(REVISED, [])
        if self._schema is not None:
            quoted = connection.dialect.identifier_preparer.quote_identifier(self._schema)
            connection.exec_driver_sql(f"SET search_path = {quoted}, public")
            connection.commit()
            connection.dialect.default_schema_name = self._schema
        context.configure(connection=connection, on_version_apply=revised, **self._configured)
        plan: Plan | None = context.config.attributes.get(PLAN)
        if plan is not None:
            fn = plan.left_of(context.get_context().opts["fn"])
            context.configure(connection=connection, on_version_apply=revised, fn=fn, **self._configured)
        with context.begin_transaction():
            context.run_migrations()

    async def connect_and_run(self) -> None:
        config = database_of(context.config)
        if _changes():
            async with migrator(config, Patience.of(context.config, {})) as locking:
                plan = Plan()
                context.config.attributes |= {REVISED: [locking.revised, plan.revised], PLAN: plan}
                await locking.run(self.run)
            return
        single = DatabaseConfig(url=config.url, pool=PoolConfig(size=1), application_name="dal migrations")
        async with Database(single) as db, db.engine.connect() as connection:
            await connection.run_sync(self.run)
            await connection.commit()


def database_of(config: Config) -> DatabaseConfig:
    """Take the database of alembic.ini, or of the environment."""
    url = config.get_main_option("sqlalchemy.url")
    return DatabaseConfig(url=parse_url(url)) if url else DatabaseConfig.from_env()


def _changes() -> bool:
    """Tell whether Alembic was told to change the database: only then does it have somewhere to go to."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    except CommandError:
        return True  # a target that is none, or one such as -2
    return True


def _refuse_a_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise MigrationError(
        "Alembic was called within a running loop: await dal.migrations.upgrade(db) there, or one of its kind, which "
        "give env.py their connection."
    )
