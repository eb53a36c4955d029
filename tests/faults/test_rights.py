"""A role that lacks a right is told which, and each part of dal works with the rights that SECURITY.md lists for it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from dal import Database, PoolConfig, UnitOfWork
from dal.copy import Rejecting
from dal.errors import InsufficientPrivilege, LockNotAvailable
from dal.errors.rights import rights_of
from dal.locks import AdvisoryKey
from tests.foreign_server import translated
from tests.models import Account, Accounts

RIGHTS_OF = {
    "SELECT account.id FROM account WHERE id = $1": "SELECT on account",
    "SELECT 1 FROM a JOIN b ON true": "SELECT on a, and SELECT on b",
    "SELECT id FROM account FOR NO KEY UPDATE SKIP LOCKED": "SELECT, UPDATE on account",
    "INSERT INTO account (id) VALUES ($1)": "INSERT on account",
    "INSERT INTO account (id) VALUES ($1) RETURNING id": "INSERT, SELECT on account",
    "INSERT INTO s.t (a) SELECT r.a FROM unnest($1, $2) AS r": "INSERT on s.t",
    "WITH w AS (INSERT INTO account VALUES (1) ON CONFLICT (id) DO UPDATE SET b = 1 RETURNING id) SELECT 1 FROM w":
        "INSERT, SELECT, UPDATE on account",
    "UPDATE account SET balance = 1 WHERE id = 2": "SELECT, UPDATE on account",
    'DELETE FROM ONLY "My Schema"."it""s" WHERE id = 2': 'DELETE, SELECT on "My Schema"."it""s"',
    "TRUNCATE TABLE account": "TRUNCATE on account",
    "COPY account (id, owner) FROM STDIN WITH (FORMAT binary)": "INSERT on account",
    "COPY public.account TO STDOUT": "SELECT on public.account",
    "CREATE TEMPORARY TABLE x (a int)": "",
    "CREATE TEMPORARY TABLE x (LIKE account)": "SELECT on account",
    "CREATE TEMP TABLE x AS SELECT a FROM account": "SELECT on account",
    "CREATE TABLE x (a int)": "CREATE on the schema",
    "ALTER TABLE account ADD x int": "the owner of what it changes",
    "SELECT 'x FROM secret', $$ FROM secret $$ -- FROM secret": "",
    "SELECT nextval('entry_id_seq')": "",
    "": "",
}  # fmt: skip


@pytest.mark.parametrize("statement", RIGHTS_OF)
def test_the_rights_that_a_statement_takes_are_read_from_its_words(statement):
    assert rights_of(statement) == RIGHTS_OF[statement]


@given(st.text(alphabet="SELECTFROMINU\"'$().- \n", max_size=200))
def test_any_text_is_read(statement):
    assert isinstance(rights_of(statement), str)


@given(st.text(min_size=3).filter(lambda value: "\0" not in value))
def test_no_literal_is_told(value):
    literal = "'" + value.replace("'", "''") + "'"
    assert rights_of(f"INSERT INTO account VALUES ({literal})") == "INSERT on account"


@dataclass
class Owned:
    """What a test's role may be granted, and do."""

    db: Database
    role: str


Do = Callable[[Database], Awaitable[object]]
ROW = {"id": 1, "owner": "alice", "balance": 1}


async def _locked(db: Database) -> None:
    async with UnitOfWork(db) as unit:
        await unit.session.execute(select(Account).with_for_update())


async def _verified(db: Database) -> None:
    async with UnitOfWork(db, verify_commit=True) as unit:
        await unit.session.execute(select(Account))


async def _advisory(db: Database) -> None:
    async with db.advisory_lock("billing", wait=False):
        pass


BROKEN = {"id": 2, "owner": None, "balance": 1}


async def _rejecting(db: Database) -> object:
    return await Accounts(db).copy_in([ROW, BROKEN], on_error=Rejecting(table="rejects"))


async def _resumable(db: Database) -> object:
    return await Accounts(db).copy_in([ROW], resume="monday", commit_every=1)


# What SECURITY.md says: a part, the least rights on its table, what else it takes, and something that takes them all.
PARTS: dict[str, tuple[str, str, Do]] = {
    "reads": ("SELECT", "", lambda db: Accounts(db).list()),
    "row locks": ("SELECT, UPDATE", "", _locked),
    "insert_many": ("INSERT", "", lambda db: Accounts(db).insert_many([ROW])),
    "upsert_many": ("SELECT, INSERT, UPDATE", "", lambda db: Accounts(db).upsert_many([ROW])),
    "update_where": ("SELECT, UPDATE", "", lambda db: Accounts(db).update_where({"balance": 2}, Account.id == 1)),
    "delete_where": ("SELECT, DELETE", "", lambda db: Accounts(db).delete_where(Account.id == 1)),
    "copy_in": ("INSERT", "", lambda db: Accounts(db).copy_in([ROW])),
    "copy_in, upserting": (
        "SELECT, INSERT, UPDATE", "TEMPORARY", lambda db: Accounts(db).copy_in([ROW], on_conflict="update"),
    ),
    "copy_in, rejecting": ("SELECT, INSERT", "TEMPORARY, CREATE", _rejecting),
    "copy_in, resumable": ("INSERT", "TEMPORARY, CREATE", _resumable),
    "copy_in, by workers": (
        "INSERT", "CREATE", lambda db: Accounts(db).copy_in([ROW], workers=2),
    ),
}  # fmt: skip


async def _grant(outside, role: Owned, rights: str, more: str) -> None:
    await outside.execute(f"REVOKE ALL ON account FROM {role.role}")
    if rights:
        await outside.execute(f"GRANT {rights} ON account TO {role.role}")
    if "TEMPORARY" in more:
        await outside.execute(f"GRANT TEMPORARY ON DATABASE {role.db.config.url.database} TO {role.role}")
    if "CREATE" in more:
        await outside.execute(f"GRANT CREATE ON SCHEMA public TO {role.role}")


@pytest.fixture
async def role(role_url, outside):
    """Lend a database by a role that may nothing."""
    await outside.execute(f"REVOKE TEMPORARY ON DATABASE {role_url.database} FROM PUBLIC")
    async with Database(role_url, pool=PoolConfig(size=2)) as db:
        yield Owned(db, str(role_url.username))
    await outside.execute(f"DROP OWNED BY {role_url.username}")


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_works_with_the_rights_that_are_listed(role, outside, part):
    rights, more, do = PARTS[part]
    await _grant(outside, role, rights, more)
    await do(role.db)


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_that_lacks_one_of_them_says_which_it_takes(role, outside, part):
    rights, more, do = PARTS[part]
    for missing in rights.split(", "):
        await _grant(outside, role, ", ".join(right for right in rights.split(", ") if right != missing), more)
        with pytest.raises(InsufficientPrivilege) as caught:
            await do(role.db)
        message = str(caught.value)
        assert "permission denied for table account (SQLSTATE 42501)" in message
        told = re.search(r"\. It takes .*?([A-Z, ]+) on (?:public\.)?account\b.*\. GRANT the role", message)
        assert told is not None, message
        assert missing in told[1]


@pytest.mark.parametrize("part", [part for part in PARTS if PARTS[part][1]])
async def test_a_load_that_may_make_no_table_says_what_it_takes(role, outside, part):
    rights, _, do = PARTS[part]
    await _grant(outside, role, rights, "")
    with pytest.raises(InsufficientPrivilege, match=r"It takes (TEMPORARY on the database|CREATE on the schema)"):
        await do(role.db)


async def test_a_load_that_finds_its_tables_need_not_create_them(role, outside, db):
    await _rejecting(db)
    await Accounts(db).copy_in([ROW | {"id": 3, "owner": "carol"}], resume="sunday", commit_every=1)
    await outside.execute("DELETE FROM account")
    await _grant(outside, role, "SELECT, INSERT", "TEMPORARY")
    await outside.execute(f"GRANT ALL ON rejects, dal_loads TO {role.role}")
    await _rejecting(role.db)
    await outside.execute("DELETE FROM account")
    await _resumable(role.db)


async def test_a_server_that_speaks_no_english_denies_the_same(role):
    async with translated(role.db.config.url) as url, Database(url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(
            InsufficientPrivilege, match=r"^не по-английски.*It takes SELECT on account\. GRANT the role"
        ):
            await Accounts(db).list()


async def test_a_schema_a_sequence_and_a_function_are_named(role, outside):
    await outside.execute("CREATE SCHEMA hidden; CREATE TABLE hidden.away (); CREATE SEQUENCE numbers")
    await outside.execute("CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    await outside.execute("REVOKE EXECUTE ON FUNCTION secret() FROM PUBLIC")
    for statement, named in DENIED.items():
        with pytest.raises(InsufficientPrivilege, match=f"permission denied .*{named}.*GRANT the role"):
            async with role.db.checkout() as driver:
                await driver.execute(statement)


DENIED = {
    "SELECT * FROM hidden.away": "schema hidden",
    "SELECT nextval('numbers')": "sequence numbers",
    "SELECT secret()": "function secret",
    "TRUNCATE account": "table account .*It takes TRUNCATE on account",
    "COPY account TO STDOUT": "table account .*It takes SELECT on account",
    "SELECT owner FROM account": "table account .*It takes SELECT on account",
    "SET ROLE postgres": "set role",
}


async def test_a_right_to_a_column_is_enough_for_the_column(role, outside):
    await outside.execute(f"GRANT SELECT (id, owner), INSERT (id, owner, balance) ON account TO {role.role}")
    await Accounts(role.db).insert_many([ROW])
    assert await role.db.select_into(str, select(Account.owner)) == ["alice"]
    with pytest.raises(InsufficientPrivilege, match="table account"):
        await role.db.select_into(int, select(Account.balance))


async def test_who_holds_a_lock_is_named_to_another_role(role, outside):
    key = AdvisoryKey.of("billing", shared=False)
    await outside.execute(f"SELECT {key.call('pg_advisory_lock')}".replace("$1", str(key.numbers[0])))
    with pytest.raises(LockNotAvailable, match=rf"process {outside.get_server_pid()} of 'outside'"):
        await _advisory(role.db)


async def test_nothing_is_needed_to_ask_what_became_of_a_commit_and_to_lock_by_name(role, outside):
    await outside.execute(f"GRANT SELECT ON account TO {role.role}")
    await _verified(role.db)
    await _advisory(role.db)
