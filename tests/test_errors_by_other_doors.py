"""COPY, a repository's flush, Alembic and the portal name their errors as statements do."""

import asyncio
import textwrap

import pyarrow as pa
import pytest
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql import Range

from dal import Database, PoolConfig, blocking, errors
from dal.copy import copy_in
from dal.migrations import upgrade
from tests.foreign_server import translated
from tests.models import Account, Accounts, Booking, Bookings, Entries, Entry

ALICE = {"id": 1, "owner": "alice", "balance": 5}
RAISING = (
    "CREATE FUNCTION raising() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE 'no' USING ERRCODE = '{}'; END $$; "
    "CREATE TRIGGER raising BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION raising()"
)
# What alice's second account is refused for.
ROWS = {
    errors.UniqueViolation: (ALICE | {"id": 2}, "23505"),
    errors.NotNullViolation: (ALICE | {"id": 2, "owner": None}, "23502"),
    errors.CheckViolation: (ALICE | {"id": 2, "owner": "bob", "balance": -1}, "23514"),
    errors.CharacterNotInRepertoire: (ALICE | {"id": 2, "owner": "b\0b"}, "22021"),
}
# A binary COPY up to the first of three fields.
BINARY = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8 + b"\0\x03"


@pytest.fixture(params=["english", "translated"])
async def url(request, database_url):
    """Lend the address of a server that speaks English, and of one that does not."""
    if request.param == "english":
        yield database_url
        return
    async with translated(database_url) as there:
        yield there


@pytest.fixture
async def anywhere(url):
    """Lend a Database there, with an account of alice's."""
    async with Database(url, pool=PoolConfig(size=1)) as db:
        await Accounts(db).add(Account(**ALICE))
        yield db


@pytest.mark.parametrize("kind", ROWS)
async def test_a_flush_names_what_is_refused(anywhere, kind):
    row, sqlstate = ROWS[kind]
    with pytest.raises(errors.DatabaseError) as caught:
        await Accounts(anywhere).add(Account(**row))
    assert (type(caught.value), caught.value.sqlstate) == (kind, sqlstate)


@pytest.mark.parametrize("sqlstate", ["44000", "42501", "55006", "P0001", "XX000"])
async def test_a_flush_names_what_a_trigger_raises(anywhere, outside, sqlstate):
    await outside.execute(RAISING.format(sqlstate))
    with pytest.raises(errors.DatabaseError) as caught:
        await Accounts(anywhere).add(Account(id=2, owner="bob", balance=0))
    assert sqlstate in type(caught.value).sqlstates or sqlstate[:2] in type(caught.value).sqlstates


async def test_a_flush_names_the_foreign_key(anywhere):
    with pytest.raises(errors.ForeignKeyViolation) as caught:
        await Entries(anywhere).add(Entry(account_id=9, note=""))
    assert (caught.value.table, caught.value.constraint) == ("entry", "fk_entry_account_id_account")


# A NUL is refused before it is sent.
@pytest.mark.parametrize("kind", [kind for kind in ROWS if kind is not errors.CharacterNotInRepertoire])
async def test_a_copy_names_what_is_refused(anywhere, kind):
    row, sqlstate = ROWS[kind]
    schema = pa.schema({"id": pa.int32(), "owner": pa.string(), "balance": pa.int32()})
    with pytest.raises(errors.DatabaseError) as caught:
        async with anywhere.writing() as session:
            await copy_in(session, Account.__table__, pa.Table.from_pylist([row], schema=schema))
    assert (type(caught.value), caught.value.sqlstate) == (kind, sqlstate)
    assert "bob" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "options", "kind", "sqlstate"),
    [
        (b"1\tcarol\t0\tmore\n", {}, errors.BadCopyFileFormat, "22P04"),
        (b"2\tcarol\tmany\n", {}, errors.InvalidTextRepresentation, "22P02"),
        (b"no binary COPY", {"format": "binary"}, errors.BadCopyFileFormat, "22P04"),
        (BINARY + b"\0\0\0\x05 2nd ", {"format": "binary"}, errors.InvalidBinaryRepresentation, "22P03"),
        # "Protocol violation", by a server that is still there: no connection is lost.
        (BINARY + b"\0\0\0\x01x", {"format": "binary"}, errors.ConnectionException, "08P01"),
    ],
    ids=["columns", "text", "header", "long", "short"],
)
async def test_a_copy_of_the_drivers_names_what_is_refused(anywhere, source, options, kind, sqlstate):
    async def chunks():
        yield source

    with pytest.raises(errors.DatabaseError) as caught:
        async with anywhere.checkout() as driver:
            await driver.copy_to_table("account", source=chunks(), **options)
    assert (type(caught.value), caught.value.sqlstate) == (kind, sqlstate)
    assert "carol" not in str(caught.value)


async def test_a_revision_names_what_is_refused(url, tmp_path):
    (tmp_path / "versions").mkdir()
    (tmp_path / "alembic.ini").write_text(f"[alembic]\nscript_location = {tmp_path}\nversion_table = mine\n")
    (tmp_path / "env.py").write_text(
        "from dal.migrations import run_env\nfrom tests.models import Base\nrun_env(Base.metadata)\n"
    )
    (tmp_path / "versions" / "one.py").write_text(
        textwrap.dedent("""
            from alembic import op
            revision, down_revision = "one", None

            def upgrade():
                op.execute("CREATE TABLE account (id int)")
        """)
    )
    async with Database(url, pool=None) as db:
        await db.execute_script("DROP TABLE IF EXISTS alembic_version")
        with pytest.raises(errors.DuplicateTable) as caught:
            await upgrade(db, ini=tmp_path / "alembic.ini")
    assert isinstance(caught.value, exc.ProgrammingError)


async def test_the_portal_names_what_is_refused(url):
    def add_twice():
        db = Database(url, pool=None)
        with blocking.opened(db) as portal:
            portal.call(Accounts(db).add, Account(**ALICE))
            portal.call(Accounts(db).add, Account(**ALICE))

    with pytest.raises(errors.UniqueViolation) as caught:
        await asyncio.to_thread(add_twice)
    assert caught.value.sqlstate == "23505"


async def test_an_exclusion_is_named_by_a_flush(anywhere):
    bookings = Bookings(anywhere)
    with pytest.raises(errors.ExclusionViolation):
        for key in (1, 2):
            await bookings.add(Booking(id=key, hours=Range(9, 10)))
