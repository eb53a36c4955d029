"""`op.add_foreign_key_not_valid`, `op.add_check_not_valid` and `op.validate_constraint`."""

import asyncio

import pytest

from dal.errors import CheckViolation, ConnectionLost, ForeignKeyViolation, MigrationError
from tests.operation_worlds import STRONG, writing

BOUND_S = 1.0
FOREIGN_KEY = 'op.add_foreign_key_not_valid("fk_item_maker", "item", "maker", ["maker_id"], ["id"], ondelete="CASCADE")'
CHECK = 'op.add_check_not_valid("ck_item_touched", "item", "touched >= 0")'
CONSTRAINT = "SELECT convalidated FROM pg_constraint WHERE conname = $1"


def _drop(name):
    return f'op.drop_constraint("{name}", "item")'


def _validate(name):
    return f'op.validate_constraint("{name}", "item")'


@pytest.fixture
async def maker(world):
    await world.outside.execute("CREATE TABLE maker (id bigint PRIMARY KEY)")
    await world.outside.execute("ALTER TABLE item ADD maker_id bigint")
    return world


@pytest.mark.parametrize(("add", "name"), [(FOREIGN_KEY, "fk_item_maker"), (CHECK, "ck_item_touched")])
async def test_constraint_is_added_validated_dropped_and_added_again(maker, add, name):
    maker.add(add, _drop(name))
    await maker.up()
    assert await maker.value(CONSTRAINT, name) is False
    maker.add(_validate(name))
    await maker.up()
    assert await maker.value(CONSTRAINT, name) is True
    await maker.down()
    await maker.down()
    assert await maker.value(CONSTRAINT, name) is None
    await maker.up()
    assert await maker.value(CONSTRAINT, name) is True


async def test_foreign_key_has_the_options_of_op_create_foreign_key(maker):
    maker.add(FOREIGN_KEY)
    await maker.up()
    assert await maker.value("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'fk_item_maker'") == (
        "FOREIGN KEY (maker_id) REFERENCES maker(id) ON DELETE CASCADE NOT VALID"
    )


@pytest.mark.parametrize(
    ("add", "violation", "write"),
    [
        (FOREIGN_KEY, ForeignKeyViolation, "UPDATE item SET maker_id = 7 WHERE id = 1"),
        (CHECK, CheckViolation, "UPDATE item SET touched = -1 WHERE id = 1"),
    ],
)
async def test_rows_that_do_not_fit_fail_the_validation_only(maker, add, violation, write):
    await maker.outside.execute(write)
    name = add.split('"')[1]
    maker.add(add)
    maker.add(_validate(name))
    with pytest.raises(violation):
        await maker.up()
    assert (await maker.value(CONSTRAINT, name), await maker.at()) == (False, "0001")


@pytest.mark.parametrize("add", [FOREIGN_KEY, CHECK])
async def test_validation_in_the_transaction_that_adds_is_refused_and_leaves_nothing(maker, add):
    name = add.split('"')[1]
    maker.add(f"{add}\n{_validate(name)}")
    with pytest.raises(MigrationError, match=rf"^cannot validate {name} here: .* holds \w+Lock on item"):
        await maker.up()
    assert await maker.value(CONSTRAINT, name) is None


@pytest.mark.parametrize("add", [FOREIGN_KEY, CHECK])
async def test_writers_do_not_wait_for_the_constraint(maker, add):
    name = add.split('"')[1]
    maker.add(add, _drop(name))
    maker.add(_validate(name))
    async with writing(maker.other) as writer:
        await maker.up()
        await maker.down()
        await maker.down()
        await maker.up()
    assert writer.longest_s < BOUND_S


async def test_a_killed_validation_is_made_again_and_held_no_strong_lock(maker):
    maker.add(CHECK.replace("touched >= 0", "pg_sleep(0.002) IS NOT NULL AND touched >= 0"))
    maker.add(_validate("ck_item_touched"))
    upgrading = asyncio.create_task(maker.up())
    pid = await maker.runs("VALIDATE CONSTRAINT")
    held = await maker.locks(pid)
    await maker.other.execute("UPDATE item SET name = 'x' WHERE id = 1")
    await maker.outside.execute("SELECT pg_terminate_backend($1)", pid)
    with pytest.raises(ConnectionLost):
        await upgrading
    assert (held, await maker.at()) == ({"ShareUpdateExclusiveLock"}, "0001")
    assert held.isdisjoint(STRONG)
    await maker.outside.execute("DELETE FROM item WHERE id > 100")
    await maker.up()
    assert await maker.value(CONSTRAINT, "ck_item_touched") is True


async def test_the_script_adds_and_validates(maker):
    maker.add(FOREIGN_KEY)
    maker.add(_validate("fk_item_maker"))
    await maker.run_script(await maker.script())
    assert (await maker.value(CONSTRAINT, "fk_item_maker"), await maker.at()) == (True, "0002")
