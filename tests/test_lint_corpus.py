"""The lint finds what each unsafe revision of the corpus names, and nothing in the safe ones."""

import re
from pathlib import Path

import asyncpg
import pytest

from dal import Database, PoolConfig
from dal.migrations import upgrade
from dal.migrations.lint import lint
from tests.looking import connect

CORPUS = Path(__file__).parent / "lint_corpus"
UNSAFE, SAFE = (sorted((CORPUS / kind).glob("[a-z]*.py")) for kind in ("unsafe", "safe"))
NAMED = re.compile(r"^finds (\S+) in line (\d+)$", re.MULTILINE)


def _named(file):
    return sorted((int(line), rule) for rule, line in NAMED.findall(file.read_text()))


@pytest.fixture(scope="module")
def found():
    """Judge for the newest server that squawk has a rule for."""
    return lint(CORPUS / "unsafe.ini", pg_version="19")


def test_the_corpus_is_as_large_as_it_is_said_to_be():
    assert (len(UNSAFE) >= 30, len(SAFE) >= 20) == (True, True)


@pytest.mark.parametrize("file", UNSAFE, ids=lambda file: file.stem)
def test_an_unsafe_revision_has_what_it_names_and_nothing_else(found, file):
    named = _named(file)
    assert named
    assert sorted((each.line, each.rule) for each in found if each.file == file) == named


def test_a_finding_has_its_statement_and_says_what_to_do(found):
    without = {each.rule for each in found if not each.sql}
    assert without == {"not-rendered", "bad-ignore", "unused-ignore"}
    [index] = [each for each in found if each.revision == "index_made"]
    assert index.sql == 'CREATE INDEX ix_order_status ON "order" (status);'
    assert index.help == "op.create_index_concurrently(...), in a revision of its own."


def test_what_is_dropped_and_still_mapped_is_named(found):
    said = {each.revision: each.message for each in found if each.rule.startswith("ban-drop-")}
    assert (
        said["column_dropped_by_hand"]
        == "Dropping a column may break existing clients. The models still have order.due."
    )
    assert said["table_dropped"].endswith(" The models still have ticket_tag.")


@pytest.mark.parametrize("version", [None, "14", "18", "19"])
def test_nothing_is_found_in_safe_revisions(version):
    assert lint(CORPUS / "safe.ini", pg_version=version) == []


async def test_safe_revisions_run_on_a_server(empty_database_url):
    async with Database(empty_database_url, pool=PoolConfig(size=1)) as db:
        await upgrade(db, "heads", ini=CORPUS / "safe.ini")
    look = await connect(empty_database_url)
    assert await look.fetchval("SELECT count(*) FROM alembic_version") > 20
    await look.close()


async def test_the_server_refuses_an_enum_value_in_the_transaction_that_adds_it(empty_database_url):
    look = await connect(empty_database_url)
    await look.execute("CREATE TYPE mood AS ENUM ('a')")
    with pytest.raises(asyncpg.UnsafeNewEnumValueUsageError):
        await look.execute("BEGIN; ALTER TYPE mood ADD VALUE 'b'; SELECT 'b'::mood; COMMIT")
    await look.close()
