"""The faults that the kit lends to tests do what they say, and leave the next test a whole server."""

import asyncio
from functools import partial

import asyncpg
import pytest
from sqlalchemy import text

from dal.demo.repositories import Regions, Shop
from dal.errors import CommitOutcomeUnknown, ConnectionLost, DALError
from tests.looking import until
from tests.shop_rows import region


async def _add(db, key):
    async with Shop(db) as shop:
        await shop.regions.add(region(key))


async def _is_refused(db):
    try:
        await Regions(db).count()
    except DALError:
        return True
    return False


async def _answers(db):
    return not await _is_refused(db)


@pytest.fixture(params=["database", "sandbox"])
def both(request):
    """Run a test in both isolations."""
    request.node.add_marker(request.param)


@pytest.mark.usefixtures("both")
async def test_a_commit_that_is_cut_before_the_server_hears_it_leaves_no_row(faulty_network, kit_db):
    await _add(kit_db, 1)
    faulty_network.cut_at("COMMIT", answered=False)
    with pytest.raises(CommitOutcomeUnknown):
        await _add(kit_db, 2)
    assert await Regions(kit_db).count() == 1


@pytest.mark.usefixtures("both")
async def test_a_commit_whose_answer_is_cut_leaves_its_row(faulty_network, kit_db):
    await _add(kit_db, 1)
    faulty_network.cut_at("commit", answered=True)
    with pytest.raises(CommitOutcomeUnknown):
        await _add(kit_db, 2)
    assert await Regions(kit_db).count() == 2


@pytest.mark.parametrize("answered", [False, True])
async def test_a_torn_message_is_half_of_it(faulty_network, kit_db, answered):
    await _add(kit_db, 1)
    moment = faulty_network.cut_at("COMMIT", answered=answered, torn=True)
    assert not moment.has_come
    with pytest.raises(CommitOutcomeUnknown):
        await _add(kit_db, 2)
    assert moment.has_come
    assert await Regions(kit_db).count() == 1 + answered


@pytest.mark.parametrize("answered", [False, True])
async def test_a_black_hole_at_a_statement_is_left_by_healing(faulty_network, kit_db, answered):
    await _add(kit_db, 1)
    moment = faulty_network.black_hole_at("COMMIT", answered=answered)
    adding = asyncio.create_task(_add(kit_db, 2))
    await until(lambda: moment.has_come)
    assert await Regions(kit_db).count() == 1 + answered  # by another connection, which is served
    assert not adding.done()
    faulty_network.heal()
    with pytest.raises(CommitOutcomeUnknown):
        await adding


async def test_the_answer_to_a_statement_that_is_only_prepared_is_cut(faulty_network, kit_db):
    async with kit_db.checkout() as driver:
        faulty_network.cut_at("SELECT", answered=True)
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            async with asyncio.timeout(5):
                await driver.prepare("SELECT 1")


async def test_without_words_whatever_comes_next_is_cut(faulty_network, kit_db):
    assert await Regions(kit_db).count() == 0
    faulty_network.cut_at("", answered=False)
    with pytest.raises(ConnectionLost):
        await Regions(kit_db).count()
    assert await Regions(kit_db).count() == 0


@pytest.mark.usefixtures("both")
async def test_round_trips_are_counted_on_the_wire(kit_db, assert_round_trips):
    for key in (1, 2):
        await _add(kit_db, key)
        await Regions(kit_db).count()
    with assert_round_trips(3):
        await _add(kit_db, 3)
    with assert_round_trips(1):
        await Regions(kit_db).count()


async def test_wrong_round_trips_list_the_statements(kit_db, assert_round_trips):
    await Regions(kit_db).count()
    with (
        pytest.raises(AssertionError, match=r"(?s)^1 round trips, not 2\. .*test_faults_of_the_kit.py:\d+ in .*SELECT"),
        assert_round_trips(2),
    ):
        await Regions(kit_db).count()


async def test_a_delay_is_waited_for(faulty_network, kit_db):
    await Regions(kit_db).count()
    faulty_network.delay(0.1)
    started = asyncio.get_running_loop().time()
    await Regions(kit_db).count()
    assert asyncio.get_running_loop().time() - started >= 0.1


async def test_a_black_hole_answers_nothing_until_it_is_healed(faulty_network, kit_db):
    await Regions(kit_db).count()
    faulty_network.black_hole()
    counting = asyncio.create_task(Regions(kit_db).count())
    done, _ = await asyncio.wait([counting], timeout=0.1)
    assert not done
    faulty_network.heal()
    assert await counting == 0


async def test_killed_backends_are_lost_to_those_who_hold_them(kit_db, kill_backends):
    async with kit_db.reading() as session:
        await session.execute(text("SELECT 1"))
        kill_backends()
        with pytest.raises(ConnectionLost):
            await session.execute(text("SELECT 1"))
    assert await Regions(kit_db).count() == 0


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_restarted_server_has_what_was_committed(kit_db, restart_server, mode):
    await _add(kit_db, 1)
    async with kit_db.reading() as session:
        await session.execute(text("SELECT 1"))
        await asyncio.to_thread(restart_server, mode)
        with pytest.raises(ConnectionLost):
            await session.execute(text("SELECT 1"))
    assert await Regions(kit_db).count() == 1


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
async def test_a_server_that_was_halted_comes_back_with_what_was_committed(kit_db, own_server, restart_server, mode):
    assert restart_server
    await _add(kit_db, 1)
    await asyncio.to_thread(own_server.halt, mode)
    await until(partial(_is_refused, kit_db))  # a backend may outlive its postmaster for a moment
    await asyncio.to_thread(own_server.restart)
    assert await Regions(kit_db).count() == 1


async def test_a_server_that_was_killed_is_restarted_at_once(kit_db, own_server, restart_server):
    assert restart_server

    def again():
        own_server.halt("kill")
        own_server.restart()

    for number in range(5):
        await _add(kit_db, number)
        await asyncio.to_thread(again)
        await until(partial(_answers, kit_db))
    assert await Regions(kit_db).count() == 5


async def test_another_database_is_made_after_a_restart(kit_db, restart_server):
    assert restart_server
    assert await Regions(kit_db).count() == 0
