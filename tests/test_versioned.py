"""Who writes what somebody else has changed meanwhile is told, and told what it was."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import delete, event, update
from sqlalchemy.orm import DeclarativeBase, Mapped, make_transient_to_detached, mapped_column, selectinload
from sqlalchemy.orm.attributes import flag_modified
from sqlalchemy.orm.exc import StaleDataError

from dal.errors import DALError, StaleEntity, UniqueViolation
from dal.testing import assert_statements
from dal.versioned import Versioned
from tests.looking import states
from tests.models import Account, Contract, Contracts, Document, Documents, Folder, Office, Seat


class Separate(DeclarativeBase):
    """A registry that only this file knows."""


BY_OTHERS = "UPDATE document SET title = 'theirs', version = version + 1 WHERE id = {}"


@pytest.fixture
async def office_db(db):
    async with Office(db) as office:
        await office.folders.add(Folder(id=1, name="in"))
        await office.documents.add(
            *(Document(id=key, title="a", folder_id=1) for key in (1, 2, 3)),
            Contract(id=4, title="a", party="b"),
        )
        await office.seats.add(Seat(row=1, number=2, guest=""), Seat(row=2, number=1, guest=""))
        await office.accounts.add(Account(id=1, owner="alice", balance=1))
    return db


async def _title(outside, key=1):
    return await outside.fetchval("SELECT title FROM document WHERE id = $1", key)


async def _versions(outside):
    return [tuple(row) for row in await outside.fetch("SELECT id, version FROM document ORDER BY id")]


async def _change(db, outside, key, by_others=BY_OTHERS):
    """Change a document that somebody else changes meanwhile."""
    async with Office(db) as office:
        document = await office.documents.get_one(key)
        await outside.execute(by_others.format(key))
        document.title = "ours"


async def test_a_new_row_has_version_1(office_db, outside):
    assert await _versions(outside) == [(1, 1), (2, 1), (3, 1), (4, 1)]


async def test_a_row_written_without_dal_has_version_1(outside):
    assert await outside.fetchval("INSERT INTO folder (name) VALUES ('') RETURNING version") == 1


async def test_every_change_counts_the_version_up(office_db, outside):
    for title in ("b", "c"):
        async with Office(office_db) as office:
            (await office.documents.get_one(2)).title = title
    assert await _versions(outside) == [(1, 1), (2, 3), (3, 1), (4, 1)]


async def test_an_entity_knows_its_version_after_a_change(office_db):
    async with Office(office_db) as office:
        document = await office.documents.get_one(2)
        document.title = "b"
    assert document.version == 2


async def test_a_stale_change_raises_and_is_not_written(office_db, outside):
    with pytest.raises(StaleEntity):
        await _change(office_db, outside, 1)
    assert await _title(outside) == "theirs"


async def test_a_stale_change_says_which_entity_and_versions_and_no_key(office_db, outside):
    await outside.execute("INSERT INTO document (id, kind, title, version) VALUES (73577357, 'note', '', 6)")
    with pytest.raises(StaleEntity) as caught:
        await _change(office_db, outside, 73577357)
    stale = caught.value
    assert (stale.entity, stale.identity, stale.expected, stale.found) == ("Document", (73577357,), 6, 7)
    assert str(stale).startswith("Document was read at version 6, and its row has version 7: ")
    assert "73577357" not in f"{stale} {stale!r} {stale.__cause__}"


async def test_a_stale_change_of_a_row_that_is_gone_says_so(office_db, outside):
    with pytest.raises(StaleEntity, match="Document was read at version 1, and its row is gone") as caught:
        await _change(office_db, outside, 1, "DELETE FROM document WHERE id = {}")
    assert caught.value.found is None


async def test_a_stale_entity_is_caught_as_sqlalchemys_error_and_as_dals(office_db, outside):
    for kind in (StaleDataError, DALError):
        with pytest.raises(kind):
            await _change(office_db, outside, 1)


async def test_a_stale_delete_raises_and_deletes_nothing(office_db, outside):
    document = await Documents(office_db).get_one(1)
    await outside.execute(BY_OTHERS.format(1))
    with pytest.raises(StaleEntity) as caught:
        await Documents(office_db).delete(document)
    assert (caught.value.expected, caught.value.found, await _title(outside)) == (1, 2, "theirs")


async def test_a_delete_of_many_names_the_stale_one(office_db, outside):
    with pytest.raises(StaleEntity) as caught:
        async with Office(office_db) as office:
            documents = await office.documents.list(order_by=Document.id, limit=3)
            await outside.execute(BY_OTHERS.format(2))
            await office.documents.delete(*documents)
    assert caught.value.identity == (2,)


async def test_a_delete_of_many_of_which_one_is_gone_names_it(office_db, outside):
    with pytest.raises(StaleEntity) as caught:
        async with Office(office_db) as office:
            documents = await office.documents.list()
            await outside.execute("DELETE FROM document WHERE id = 3")
            for document in documents:
                await office.session.delete(document)
    assert (caught.value.identity, caught.value.found) == ((3,), None)
    assert [key for key, _ in await _versions(outside)] == [1, 2, 4]


@pytest.mark.parametrize("key", [1, 2, 3])
async def test_a_flush_of_many_names_the_stale_one(office_db, outside, key):
    with pytest.raises(StaleEntity) as caught:
        async with Office(office_db) as office:
            documents = await office.documents.list()
            await outside.execute(BY_OTHERS.format(key))
            for document in documents:
                document.title = "ours"
    assert caught.value.identity == (key,)
    assert await _versions(outside) == [(each, 1 + (each == key)) for each in (1, 2, 3, 4)]


async def test_a_detached_entity_keeps_the_version_that_it_was_read_at(office_db, outside):
    document = await Documents(office_db).get_one(1)
    await outside.execute(BY_OTHERS.format(1))
    document.title = "ours"
    with pytest.raises(StaleEntity):
        await Documents(office_db).add(document)
    assert await _title(outside) == "theirs"


@pytest.mark.parametrize("name", ["title", "party"])
async def test_a_change_in_either_table_of_a_subclass_is_checked(office_db, outside, name):
    contract = await Contracts(office_db).get_one(4)
    setattr(contract, name, "new")
    await Contracts(office_db).add(contract)
    assert contract.version == 2
    await outside.execute(BY_OTHERS.format(4))
    setattr(contract, name, "ours")
    with pytest.raises(StaleEntity) as caught:
        await Contracts(office_db).add(contract)
    assert (caught.value.entity, caught.value.expected, caught.value.found) == ("Contract", 2, 3)


async def test_a_key_of_several_columns_is_named_whole(office_db, outside):
    with pytest.raises(StaleEntity) as caught:
        async with Office(office_db) as office:
            for seat in await office.seats.list():
                seat.guest = "ours"
            await outside.execute("UPDATE seat SET version = 5 WHERE row = 2")
    assert (caught.value.entity, caught.value.identity, caught.value.found) == ("Seat", (2, 1), 5)


async def test_what_a_delete_cascades_to_is_checked(office_db, outside):
    with pytest.raises(StaleEntity) as caught:
        async with Office(office_db) as office:
            folder = await office.folders.get_one(1, options=[selectinload(Folder.documents)])
            await outside.execute(BY_OTHERS.format(3))
            await office.folders.delete(folder)
    assert (caught.value.entity, caught.value.identity) == ("Document", (3,))


async def test_an_orphan_is_checked(office_db, outside):
    with pytest.raises(StaleEntity) as caught:
        async with Office(office_db) as office:
            folder = await office.folders.get_one(1, options=[selectinload(Folder.documents)])
            await outside.execute(BY_OTHERS.format(2))
            folder.documents.remove(next(each for each in folder.documents if each.id == 2))
    assert caught.value.identity == (2,)


async def test_an_entity_written_before_in_the_same_transaction_is_not_taken_for_stale(office_db, outside):
    with pytest.raises(StaleEntity) as caught:
        async with Office(office_db) as office:
            new = Document(id=9, title="new")
            await office.documents.add(new)
            first, third = await office.documents.get_one(1), await office.documents.get_one(3)
            first.title = "ours"
            await office.session.flush()
            await outside.execute(BY_OTHERS.format(3))
            new.title = first.title = third.title = "again"
    assert (caught.value.identity, caught.value.found) == ((3,), 2)


async def test_a_stale_flush_in_a_savepoint_leaves_the_transaction_whole(office_db, outside):
    async with Office(office_db) as office:
        (await office.documents.get_one(2)).title = "kept"
        document = await office.documents.get_one(1)
        with pytest.raises(StaleEntity) as caught:
            async with office.savepoint():
                await outside.execute(BY_OTHERS.format(1))
                document.title = "ours"
        assert (caught.value.expected, caught.value.found) == (1, 2)
    assert (await _title(outside, 1), await _title(outside, 2)) == ("theirs", "kept")


async def test_read_again_and_changed_again_it_is_written(office_db, outside):
    async with Office(office_db) as office:
        document = await office.documents.get_one(1)
        with suppress(StaleEntity):
            async with office.savepoint():
                await outside.execute(BY_OTHERS.format(1))
                document.title = "ours"
        (await office.documents.get_one(1, lock="update")).title = "ours again"
    assert (await _title(outside), (await _versions(outside))[0]) == ("ours again", (1, 3))


async def test_a_locked_read_takes_over_the_version(office_db, outside):
    async with Office(office_db) as office:
        await office.documents.get_one(1)
        await outside.execute(BY_OTHERS.format(1))
        (await office.documents.get_one(1, lock="update")).title = "ours"
    assert await _title(outside) == "ours"


@pytest.mark.parametrize("options", [{"isolation": "repeatable read"}, {"verify_commit": True}, {"timeout_s": 10}])
async def test_who_was_stale_is_found_whatever_the_transaction(office_db, outside, options):
    with pytest.raises(StaleEntity) as caught:
        async with Office(office_db, **options) as office:
            document = Document(id=1, title="ours", kind="note", version=1)
            make_transient_to_detached(document)
            await outside.execute(BY_OTHERS.format(1))
            office.session.add(document)
            flag_modified(document, "title")
    assert (caught.value.expected, caught.value.found, await _title(outside)) == (1, 2, "theirs")


async def test_of_many_who_change_the_same_version_one_succeeds(office_db, outside):
    document = [await Documents(office_db).get_one(1) for _ in range(10)]

    async def change(number):
        document[number].title = f"by {number}"
        await Documents(office_db).add(document[number])

    ends = await asyncio.gather(*(change(number) for number in range(10)), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [StaleEntity] * 9
    assert await _title(outside) == f"by {ends.index(None)}"


async def test_other_errors_of_a_flush_stay_what_they_are(office_db):
    with pytest.raises(UniqueViolation):
        await Documents(office_db).add(Document(id=1, title="twice"))


async def test_a_row_without_a_version_that_is_gone_stays_sqlalchemys_error(office_db, outside):
    with pytest.raises(StaleDataError) as caught:
        async with Office(office_db) as office:
            account = await office.accounts.get_one(1)
            (await office.documents.get_one(1)).title = "ours"
            await outside.execute("DELETE FROM account")
            account.balance = 2
    assert not isinstance(caught.value, DALError)


async def test_no_connection_is_held_or_in_a_transaction_after_a_stale_change(office_db, outside):
    with pytest.raises(StaleEntity):
        await _change(office_db, outside, 1)
    assert (office_db.pool.leases(), set(await states(outside))) == ([], {"idle"})


async def test_a_connection_lost_before_the_server_is_asked_leaves_sqlalchemys_error(office_db, outside):
    async def lose():
        async with Office(office_db) as office:
            driver = (await (await office.session.connection()).get_raw_connection()).driver_connection
            event.listen(office.session.sync_session, "after_rollback", lambda _: driver.terminate())
            document = await office.documents.get_one(1)
            await outside.execute(BY_OTHERS.format(1))
            document.title = "ours"

    with pytest.raises(StaleDataError) as caught:
        await lose()
    assert not isinstance(caught.value, DALError)


async def test_a_change_of_a_set_that_counts_up_is_noticed(office_db):
    document = await Documents(office_db).get_one(1)
    async with Office(office_db) as office:
        await office.session.execute(update(Document).values(title="all", version=Document.version + 1))
    document.title = "ours"
    with pytest.raises(StaleEntity):
        await Documents(office_db).add(document)


async def test_a_delete_of_a_set_after_a_checked_one_may_meet_no_row(office_db):
    async with Office(office_db) as office:
        await office.documents.delete(await office.documents.get_one(1))
        await office.session.execute(delete(Document).where(Document.id == 404, Document.version == 1))


def test_the_order_of_the_bases_does_not_matter():
    class Late(Separate, Versioned):
        """Has its version from its last base."""

        __tablename__ = "late"
        id: Mapped[int] = mapped_column(primary_key=True)

    assert Late.__mapper__.version_id_col is Late.__table__.c.version


def test_a_version_under_another_name_is_refused():
    with pytest.raises(TypeError, match=r"^Renamed is Versioned, but has no column 'version'"):

        class Renamed(Versioned, Separate):
            """Has its version in another column, which nothing would check."""

            __tablename__ = "renamed"
            id: Mapped[int] = mapped_column(primary_key=True)
            version: Mapped[int] = mapped_column("edition")


async def test_checking_a_version_costs_no_statement(office_db):
    async with Office(office_db) as office:
        document = await office.documents.get_one(1)
        document.title = "ours"
        with assert_statements(1):
            await office.session.flush()
