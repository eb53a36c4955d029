"""Models, migrations and a live database: which of the three is unlike the others, and what is said of it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from uuid import uuid4

import pytest

from dal import Database, DatabaseConfig, PoolConfig
from dal.errors import MigrationError
from dal.migrations import stamp, upgrade
from dal.migrations.drift import check
from tests.conftest import INI, ROOT
from tests.looking import connect, until
from tests.revisions import Revisions

DOCS = ROOT / "docs" / "migrations_drift.md"
ENV = """
import sqlalchemy as sa

models = sa.MetaData()
sa.Table(
    "orders", models,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("note", sa.String(20), nullable=False, server_default="", comment="for us"),
    {columns}
    comment="what was ordered",
)
{more}
run_env(models{options})
"""
BASE = """
op.execute("CREATE TYPE state AS ENUM ('open', 'shipped')")
op.execute("CREATE TABLE orders (id serial PRIMARY KEY, note varchar(20) NOT NULL DEFAULT '')")
op.execute("COMMENT ON TABLE orders IS 'what was ordered'")
op.execute("COMMENT ON COLUMN orders.note IS 'for us'")
op.execute("CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1")
op.execute("CREATE VIEW noted AS SELECT id FROM orders")
"""


@pytest.fixture
async def live(empty_database_url):
    async with Database(empty_database_url, pool=PoolConfig(size=2, min_idle=0)) as db:
        yield db


@pytest.fixture
def scratches(look, monkeypatch):
    """Count the databases of this test's own checks."""
    prefix = f"dal_drift_{uuid4().hex}_"
    monkeypatch.setattr("dal.migrations.drift.scratch._PREFIX", prefix)

    async def count(running="%"):
        return await look.fetchval(
            "SELECT count(*) FROM pg_database LEFT JOIN pg_stat_activity USING (datname) "
            "WHERE datname LIKE $1 AND coalesce(query, '') LIKE $2", f"{prefix}%", running)  # fmt: skip

    return count


def _env(folder, *, columns="", more="", options="", dal=""):
    env = ENV.format(columns=columns, more=more, options=options)
    return Revisions(folder, env=env, more=f"\n[dal]\n{dal}\n")


@pytest.fixture
def revisions(tmp_path):
    revisions = _env(tmp_path)
    revisions.add("1", BASE)
    return revisions


async def _named(live, revisions, **options):
    drift = await check(live, ini=revisions.ini, **options)
    return [f"{each.differs}: {each.kind} {each.name}" for each in drift.differences]


async def test_the_shop_has_no_drift(live):
    await upgrade(live, ini=INI)
    drift = await check(live, ini=INI)
    assert drift.is_none, str(drift)
    assert str(drift) == f"no drift in {live.config.where} at revision 0003"


async def test_what_is_done_by_hand_is_the_database_s(live, look, revisions):
    await upgrade(live, ini=revisions.ini)
    await look.execute("""
        CREATE TABLE hand (id serial PRIMARY KEY, note text UNIQUE);
        ALTER TABLE orders ADD more int, ALTER note TYPE varchar(30);
        CREATE INDEX by_note ON orders (note);
        ALTER TABLE orders ADD CONSTRAINT said CHECK (note <> 'x') NOT VALID;
        ALTER TYPE state ADD VALUE 'lost';
        CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql RETURN 2;
        DROP VIEW noted;
        ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
        COMMENT ON COLUMN orders.note IS 'for all';
    """)
    drift = await check(live, ini=revisions.ini)
    assert [(each.differs, each.kind, each.name) for each in drift.differences] == [
        ("database", "index", "public.by_note"),
        ("database", "table", "public.hand"),
        ("database", "view", "public.noted"),
        ("database", "function", "public.one()"),
        ("database", "table", "public.orders"),
        ("database", "column", "public.orders.more"),
        ("database", "column", "public.orders.note"),
        ("database", "constraint", "public.orders.said"),
        ("database", "enum", "public.state"),
        ("database", "comment on column", "public.orders.note"),
    ]
    messages = [each.message for each in drift.differences]
    assert messages[0] == (
        "the database has index public.by_note, which the models and the migrations lack: it was made by hand: "
        "drop it, write a revision for it, or ignore it"
    )
    assert (
        messages[2]
        == "the migrations have view public.noted, which the database lacks: it was dropped by hand: make it again"
    )
    assert messages[6] == (
        "column public.orders.note is different in the database than in the models and the migrations: it was changed "
        "by hand: change it back, or write a revision"
    )
    assert "ENUM ('open', 'shipped', 'lost')" in str(drift)
    assert not drift.is_none


async def test_an_index_that_was_left_invalid_says_how_to_mend_it(live, look, tmp_path):
    revisions = _env(tmp_path, columns='sa.Index("late", "note"),')
    revisions.add("1", f'{BASE}op.create_index("late", "orders", ["note"])')
    await upgrade(live, ini=revisions.ini)
    await look.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'late'::regclass")
    drift = await check(live, ini=revisions.ini)
    assert [each.message for each in drift.differences] == [
        "index public.late is different in the database than in the models and the migrations: an interrupted CREATE "
        "INDEX CONCURRENTLY left it invalid: DROP INDEX CONCURRENTLY, or REINDEX it"
    ]
    revisions.add("2", 'op.drop_index("late")')
    await stamp(live, "2", ini=revisions.ini)
    assert await _named(live, revisions) == ["all: index public.late"]


async def test_what_is_changed_in_the_models_needs_a_revision(live, tmp_path):
    revisions = _env(
        tmp_path,
        columns='sa.Column("state", sa.Text, sa.CheckConstraint("state <> \'\'", name="some"), comment="now"), '
        'sa.Column("parent", sa.ForeignKey("orders.id", name="up")), sa.Index("by_note", "note"), ',
        more='sa.Table("late", models, sa.Column("id", sa.Integer, sa.Identity()),sa.Column("a", sa.Text, index=True))',
    )
    change = "ALTER TABLE orders ALTER note TYPE text, ALTER note DROP NOT NULL, ADD gone int"
    revisions.add("1", f"{BASE}op.execute('{change}')\nop.execute(\"COMMENT ON TABLE orders IS 'x'\")")
    await upgrade(live, ini=revisions.ini)
    drift = await check(live, ini=revisions.ini)
    found = {f"{each.differs}: {each.kind} {each.name}": each for each in drift.differences}
    assert list(found) == [
        "models: index public.by_note",
        "models: table public.late",
        "models: column public.orders.gone",
        "models: column public.orders.note",
        "models: column public.orders.parent",
        "models: constraint public.orders.some",
        "models: column public.orders.state",
        "models: constraint public.orders.up",
        "models: comment on table public.orders",
    ]
    said = found["models: column public.orders.parent"]
    assert said.message == (
        "the models have column public.orders.parent, which the migrations and the database lack: write a revision"
    )
    assert found["models: column public.orders.note"].definitions == {
        "models": "VARCHAR(20), NOT NULL", "migrations": "text DEFAULT ''::character varying",
        "database": "text DEFAULT ''::character varying",
    }  # fmt: skip


async def test_a_value_of_an_enum_that_only_the_models_have_is_named(live, look, tmp_path):
    revisions = _env(tmp_path, columns='sa.Column("now", sa.Enum("open", "shipped", "lost", name="state")),')
    revisions.add("1", f'{BASE}op.execute("ALTER TABLE orders ADD now state")')
    await upgrade(live, ini=revisions.ini)
    assert await _named(live, revisions) == ["models: enum public.state"]
    await look.execute("ALTER TYPE state ADD VALUE 'lost'")
    assert await _named(live, revisions) == ["migrations: enum public.state"]


async def test_a_database_that_was_changed_to_fit_the_models_wants_a_revision(live, look, tmp_path):
    revisions = _env(tmp_path, columns='sa.Column("more", sa.Integer),')
    revisions.add("1", BASE)
    await upgrade(live, ini=revisions.ini)
    await look.execute("ALTER TABLE orders ADD more int")
    drift = await check(live, ini=revisions.ini)
    assert [each.message for each in drift.differences] == [
        "the models and the database have column public.orders.more, which the migrations lack: the database was "
        "changed to fit the models by hand: write a revision that finds it done"
    ]
    await look.execute("ALTER TABLE orders ALTER more TYPE text")
    assert await _named(live, revisions) == ["all: column public.orders.more"]


async def test_what_only_a_revision_makes_is_the_migrations_own(live, revisions):
    await upgrade(live, ini=revisions.ini)
    revisions.add("2", 'op.add_column("orders", sa.Column("more", sa.Integer)); op.execute("CREATE SEQUENCE s")')
    await stamp(live, "2", ini=revisions.ini)
    assert await _named(live, revisions) == ["migrations: column public.orders.more", "database: sequence public.s"]


async def test_a_database_that_is_behind_is_compared_with_its_own_revision(live, look, revisions):
    await upgrade(live, ini=revisions.ini)
    revisions.add("2", 'op.execute("CREATE SEQUENCE s")')
    revisions.add("3", 'op.execute("DROP VIEW noted")')
    drift = await check(live, ini=revisions.ini)
    assert (drift.is_none, drift.revisions, drift.pending) == (True, ("1",), ("2", "3"))
    assert str(drift).endswith("at revision 1, with 2 pending (2, 3)")
    await look.execute("CREATE SEQUENCE s; ALTER TABLE orders ADD x int")
    drift = await check(live, ini=revisions.ini)
    assert [each.message for each in drift.differences] == [
        "the database has column public.orders.x, which the models and the migrations lack: it was made by hand: "
        "drop it, write a revision for it, or ignore it",
        "the database has sequence public.s, which the migrations lack: the database has by hand what a pending "
        "revision does, which will fail of it: undo it by hand",
    ]


async def test_a_database_without_any_revision_has_them_all_to_come(live, look, revisions):
    drift = await check(live, ini=revisions.ini)
    assert (drift.is_none, drift.revisions, drift.pending) == (True, (), ("1",))
    assert await look.fetchval("SELECT to_regclass('alembic_version')") is None


async def test_a_revision_that_the_code_does_not_have_is_named(live, look, revisions):
    await upgrade(live, ini=revisions.ini)
    await look.execute("UPDATE alembic_version SET version_num = 'f00'")
    with pytest.raises(MigrationError, match=r"is at revision f00, which the code does not have .*: check it by"):
        await check(live, ini=revisions.ini)


async def test_what_is_ignored_left_out_or_dal_s_own_is_no_drift(live, look, tmp_path):
    revisions = _env(
        tmp_path,
        more='sa.Table("skipped", models, sa.Column("id", sa.Integer, primary_key=True))',
        options=', include_name=lambda name, type_, parents: name != "hand"',
        dal="drift_ignore = public.audit_*, public.skipped",
    )
    revisions.add("1", BASE)
    await upgrade(live, ini=revisions.ini)
    await look.execute("""
        CREATE TABLE audit_log (id serial PRIMARY KEY); CREATE INDEX ON audit_log (id);
        CREATE TABLE dal_loads (name text PRIMARY KEY); CREATE TABLE dal_load_0123456789ab (a int);
        CREATE TABLE dal_backfills (name text PRIMARY KEY);
        CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.t (id int);
        CREATE EXTENSION citext;
        CREATE SEQUENCE mine
    """)
    assert await _named(live, revisions, ignore=["public.mine"]) == []
    assert await _named(live, revisions, schemas=["public", "elsewhere"], ignore=["*.mine", "elsewhere.t"]) == [
        "database: schema elsewhere"
    ]


async def test_the_live_database_is_only_read(live, look, revisions):
    await upgrade(live, ini=revisions.ini)
    settings = {"default_transaction_read_only": "on"}
    config = DatabaseConfig(url=live.config.url, pool=PoolConfig(size=1), server_settings=settings)
    async with Database(config) as read_only:
        with pytest.raises(MigrationError, match=r"no scratch database .* Give scratch= the URL of an empty database"):
            await check(read_only, ini=revisions.ini)


async def test_a_role_that_may_create_no_database_is_told_so(role_url, outside, revisions):
    await outside.execute("GRANT SELECT ON alembic_version TO PUBLIC; UPDATE alembic_version SET version_num = '1'")
    async with Database(role_url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(MigrationError, match=r"Give scratch= the URL of an empty database, or the role CREATEDB"):
            await check(db, ini=revisions.ini)


async def test_a_database_that_is_lent_is_empty_before_and_after(live, look, revisions, pg_kit):
    await upgrade(live, ini=revisions.ini)
    with pg_kit.empty_database() as lent:
        inside = await connect(lent)
        await inside.execute("CREATE EXTENSION pg_trgm; CREATE TABLE mine (id int)")
        with pytest.raises(MigrationError, match=r"is not empty: it has 1 objects, such as TABLE mine"):
            await check(live, ini=revisions.ini, scratch=lent)
        await inside.execute("DROP TABLE mine")
        for _ in range(2):
            assert await _named(live, revisions, scratch=lent) == []
        assert await inside.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'") == 1
        await inside.close()
    with pytest.raises(MigrationError, match="is not empty"):
        await check(live, ini=revisions.ini, scratch=live.config.url)


async def test_an_env_that_connects_by_itself_is_refused_before_it_migrates(
    live, look, tmp_path, empty_database_url, monkeypatch
):
    revisions = Revisions(tmp_path)
    revisions.add("1", BASE)
    monkeypatch.setenv("SHOP_URL", empty_database_url.render_as_string(hide_password=False))
    (tmp_path / "env.py").write_text(
        "import os\nimport sqlalchemy as sa\nfrom alembic import context\n"
        "engine = sa.create_engine(os.environ['SHOP_URL'], poolclass=sa.pool.NullPool)\n"
        "with engine.connect() as connection:\n    context.configure(connection=connection, target_metadata=None)\n"
        "    with context.begin_transaction():\n        context.run_migrations()\n"
    )
    with pytest.raises(MigrationError, match=r"env\.py connects by itself: have it call dal\.migrations\.run_env"):
        await check(live, ini=revisions.ini)
    assert await look.fetchval("SELECT to_regclass('orders')") is None


@pytest.mark.parametrize("sleeper", ["op.execute('SELECT pg_sleep(30)')", "raise ValueError('broken')"])
async def test_the_scratch_database_is_dropped_when_it_is_cancelled_and_when_a_revision_fails(
    live, scratches, revisions, sleeper
):
    revisions.add("2", sleeper)
    checking = asyncio.create_task(check(live, ini=revisions.ini))
    if "sleep" in sleeper:
        await until(lambda: scratches("%pg_sleep(30)%"))
        checking.cancel()
    with pytest.raises((asyncio.CancelledError, ValueError)):
        await checking
    assert await scratches() == 0


async def test_it_is_dropped_whenever_it_is_cancelled(live, scratches, revisions):
    for n in range(12):
        checking = asyncio.create_task(check(live, ini=revisions.ini))
        for _ in range(n * 12):
            await asyncio.sleep(0)
        if n % 2:
            await until(scratches)
        checking.cancel()
        # SQLAlchemy makes a TypeError of it where it comes into the first statements of a new engine.
        with pytest.raises((asyncio.CancelledError, TypeError)):
            await checking
        assert await scratches() == 0


async def test_the_search_path_of_the_live_database_is_that_of_the_scratch_one(live, look, tmp_path):
    revisions = Revisions(tmp_path)
    revisions.add("1", 'op.execute("CREATE SCHEMA IF NOT EXISTS shop"); op.execute("CREATE TABLE t (id int)")')
    await look.execute(f'CREATE SCHEMA shop; ALTER DATABASE "{live.config.url.database}" SET search_path = shop')
    live.pool.expire()
    await upgrade(live, ini=revisions.ini)
    assert await look.fetchval("SELECT to_regclass('shop.t')::text") == "shop.t"
    async with Database(live.config) as again:
        assert await _named(again, revisions, schemas=["public", "shop"]) == []


async def test_the_example_of_the_docs_runs_as_pasted(live, tmp_path):
    await upgrade(live, ini=INI)
    code = re.findall(r"```python\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)[0]
    (tmp_path / "drift.py").write_text(code)
    url = live.config.url.render_as_string(hide_password=False)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, tmp_path / "drift.py"],
        cwd=ROOT,
        env={"DAL_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"no drift in {live.config.where} at revision 0003\n", "")
