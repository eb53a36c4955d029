"""What somebody who may create functions in a schema of the search path can do to dal's statements: CVE-2018-1058."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL

import dal
from dal import Database, DatabaseConfig, PoolConfig
from dal.errors import ConfigError
from tests.models import Accounts

HOME = Path(dal.__file__).parent
# Run on servers for tests, by their superuser; or with a search_path of its own, or sent to nobody.
LEFT_OUT = {"testing", "demo", "queries.py"}
# What is syntax, though it looks like a call: its function is looked for in pg_catalog alone.
SYNTAX = {"extract", "coalesce", "numeric", "text"}


async def _refused(url: URL, path: str) -> str:
    config = DatabaseConfig(url=url, pool=PoolConfig(size=1), server_settings={"search_path": path})
    with pytest.raises(ConfigError) as caught:
        async with Database(config):
            pass
    return str(caught.value)


@pytest.mark.parametrize("path", ["public, pg_catalog", '"$user", public, pg_catalog, other'])
async def test_a_path_on_which_pg_catalog_comes_late_is_refused(database_url, path):
    message = await _refused(database_url, path)
    assert "has public before pg_catalog" in message
    assert "Put pg_catalog first, or leave it out" in message


@pytest.mark.parametrize(
    "path", ["public", "pg_catalog, public", "", "pg_catalog", '"$user", public', "pg_temp, public"]
)
async def test_a_path_on_which_pg_catalog_comes_first_is_taken(database_url, path, caplog):
    config = DatabaseConfig(url=database_url, pool=PoolConfig(size=1), server_settings={"search_path": path})
    async with Database(config), Database(config):
        pass
    assert "search_path" not in caplog.text


async def test_a_path_of_the_role_is_looked_at_too(role_url, outside):
    await outside.execute(f"ALTER ROLE {role_url.username} SET search_path = public, pg_catalog")
    with pytest.raises(ConfigError, match="has public before pg_catalog"):
        async with Database(role_url, pool=PoolConfig(size=1)):
            pass


async def test_a_hostile_schema_cannot_hide_that_it_comes_first(database_url, outside):
    await outside.execute(
        """
        CREATE SCHEMA evil;
        CREATE DOMAIN evil.text AS pg_catalog.text;
        CREATE FUNCTION evil.current_schemas(boolean) RETURNS name[]
            LANGUAGE sql AS $$ SELECT '{pg_catalog}'::name[] $$;
        CREATE FUNCTION evil.unnest(name[]) RETURNS SETOF name LANGUAGE sql AS $$ SELECT 'pg_catalog'::name $$;
        CREATE FUNCTION evil.has_schema_privilege(text, text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
        """
    )
    assert "has evil before pg_catalog" in await _refused(database_url, "evil, pg_catalog")


async def test_a_schema_in_which_everybody_may_create_is_warned_of(database_url, outside, caplog):
    await outside.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    async with Database(database_url, pool=PoolConfig(size=1)):
        pass
    assert "REVOKE CREATE ON SCHEMA public FROM PUBLIC" in caplog.text


# Functions that fit the arguments of dal's statements better than PostgreSQL's own do. Not array_agg(name): asyncpg
# calls that by itself, to learn of types.
BETTER = {
    "hashtextextended(text, integer)": "bigint",
    "unnest(integer[])": "SETOF integer",
    "unnest(bigint[])": "SETOF bigint",
    "unnest(text[])": "SETOF text",
    "unnest(varchar[])": "SETOF varchar",
    "format(text, regclass, name)": "text",
    "obj_description(oid, varchar)": "text",
    "to_jsonb(pg_index)": "jsonb",
    "to_json(timestamptz)": "json",
    "max(timestamptz)": "timestamptz",
    "concat_ws(text, xid8, numeric, integer)": "text",
    "set_config(varchar, varchar, boolean)": "text",
    "current_setting(varchar)": "text",
    "starts_with(varchar, text)": "boolean",
}


@pytest.fixture
async def attacked(database_url, outside):
    """Lend the test's database, in whose public schema every function that fits better raises."""
    for signature, result in BETTER.items():
        await outside.execute(
            f"CREATE FUNCTION public.{signature} RETURNS {result} LANGUAGE plpgsql "
            "AS $$ BEGIN RAISE 'taken over' USING ERRCODE = 'EV001'; END $$"
        )
    async with Database(database_url, pool=PoolConfig(size=3)) as db:
        yield db


async def test_the_attack_is_one(attacked):
    with pytest.raises(dal.errors.DatabaseError, match="taken over"):
        await attacked.execute_script("SELECT * FROM unnest(ARRAY[1, 2])")


async def test_reads_and_writes_call_nobody_elses_functions(attacked, tmp_path):
    accounts = Accounts(attacked)
    rows = [{"id": n, "owner": f"owner {n}", "balance": n} for n in range(1, 60)]
    async with dal.UnitOfWork(attacked, settings={"app.tenant": "1"}, verify_commit=True) as unit:
        await unit.session.flush()
        await unit.advisory_lock("billing", timeout_s=1)
    await accounts.insert_many(rows)
    await accounts.upsert_many(rows)
    await accounts.get_many([1, 2], into=Card)
    await accounts.get(1, into=Card)
    await accounts.delete_many([1])
    await accounts.page(limit=2, into=Card)
    await accounts.copy_in(rows, on_conflict="update")
    await accounts.copy_in([{"id": 99, "owner": "z", "balance": 1}, {"id": 98}], on_error="reject")
    await accounts.copy_in([{"id": 100, "owner": "y", "balance": 1}], rebuild=True)
    assert await accounts.count() == len(rows) + 2


@dataclass
class Card:
    """What is read of an account."""

    owner: str


def _texts(path: Path):
    """Find the texts of a module that are no docstrings, with their lines."""
    tree = ast.parse(path.read_text())
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.lineno, node.value


async def test_every_call_in_a_statement_names_pg_catalog(outside):
    known = await outside.fetch("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace")
    functions = {name for (name,) in known} - SYNTAX
    found = []
    for path in sorted(HOME.rglob("*.py")):
        if LEFT_OUT & set(path.relative_to(HOME).parts):
            continue
        for line, text in _texts(path):
            # A call without arguments, or with those of an aggregate over rows, fits nobody's better.
            calls = re.findall(r"(?<![\w.%])([a-z_][a-z_0-9]*)\((?![)*])", text)
            found += [f"{path.relative_to(HOME)}:{line} {name}" for name in calls if name in functions]
    assert found == []
