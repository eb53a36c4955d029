"""Names that nobody would give: refused by name, or taken as they are."""

import io

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, Text
from sqlalchemy.orm import registry

from dal import Repository
from dal.copy import Csv, CsvOut, Ndjson, Rejecting, copy_in, copy_out
from dal.errors import CopyError
from dal.locks import AdvisoryKey
from tests.models import Account

HALF = "a\ud800"
LONG = "é" * 200


def test_a_lock_is_not_named_by_half_a_character():
    with pytest.raises(ValueError, match="half of a surrogate pair") as raised:
        AdvisoryKey.of(HALF)
    assert not isinstance(raised.value, UnicodeError)


@pytest.mark.parametrize(
    "option",
    [{"header": [HALF]}, {"null": HALF}, {"null": ["", HALF]}, {"dates": {"day": HALF}}, {"dates": {HALF: "%Y"}}],
)
def test_no_file_has_half_a_character(option):
    with pytest.raises(CopyError):
        Csv(**option)
    if "dates" in option:
        with pytest.raises(CopyError):
            Ndjson(**option)


@pytest.mark.parametrize("option", [{"null": HALF}, {"null": "\0"}, {"encoding": HALF}, {"encoding": "a\0b"}])
def test_no_file_is_written_with_half_a_character(option):
    with pytest.raises(CopyError, match="must be a text, without a NUL"):
        CsvOut(**option)


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a\0", HALF, "n" * 64, "s" * 64 + ".a"])
def test_a_table_of_rejects_has_a_name_that_postgresql_has(name):
    with pytest.raises(CopyError, match="is no name of a table for rejects"):
        Rejecting(table=name)


@pytest.mark.parametrize("name", [LONG + ".csv", LONG + "*.csv"])
async def test_a_file_whose_name_is_too_long_is_not_there(db, tmp_path, name):
    with pytest.raises(CopyError):
        await copy_in(db, Account.__table__, tmp_path / name)


async def test_rejects_are_not_written_to_a_name_that_is_too_long(db, tmp_path):
    with pytest.raises(CopyError, match="cannot be written"):
        await copy_in(db, Account.__table__, [(1, "a", 1)], on_error=Rejecting(tmp_path / f"{LONG}.csv"))


async def test_rows_are_not_read_for_a_file_whose_name_is_too_long(db, tmp_path):
    with pytest.raises(CopyError, match=r"its name is too long\. Nothing was read\."):
        await copy_out(db, Account, tmp_path / f"{LONG}.csv")
    assert list(tmp_path.iterdir()) == []


async def test_a_column_with_a_key_of_its_own_is_written_in_sets(db):
    key = Column('"; --', BigInteger, primary_key=True, autoincrement=False, key="id")
    table = Table("keyed", MetaData(), key, Column("w", Text, key="words"))
    async with db.engine.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
    keyed = registry(metadata=table.metadata)

    @keyed.mapped
    class Keyed:
        __table__ = table

    class Keyeds(Repository[Keyed]):  # type: ignore[type-var] # is mapped by a decorator
        pass

    rows = Keyeds(db)
    assert await rows.insert_many([{"id": 1, "words": "a"}]) == 1
    assert (await rows.upsert_many([{"id": 1, "words": "b"}, {"id": 2, "words": "c"}])).updated == 1
    assert await rows.update_many([{"id": 2, "words": "d"}]) == 1
    assert await rows.delete_many([1]) == 1
    assert await rows.list(into=Keyed.words) == ["d"]
    await copy_out(db, Keyed, target := io.BytesIO(), form=CsvOut())
    assert target.getvalue() == b'"""; --",w\n2,d\n'
