"""Hostile input in short: the corpus, what was found once, and some hundreds more; `make fuzz` gives a million."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL

from tests.faults.hostile import attack
from tests.faults.hostile.canary import Canary
from tests.faults.hostile.part import Found, saved
from tests.faults.hostile.parts import PURE
from tests.faults.hostile.world import Desk
from tests.looking import connect

BYTES = st.one_of(st.binary(max_size=24), st.binary(min_size=24, max_size=200))


@pytest.fixture
async def world(empty_database_url: URL, tmp_path: Path):
    async with attack.world_at(empty_database_url, tmp_path) as world:
        yield world


@pytest.mark.parametrize("name", PURE)
def test_a_pure_part_keeps_to_its_errors_over_its_corpus(name):
    for data in [*PURE[name].seeds, *(path.read_bytes() for path in saved(name))]:
        PURE[name].check(data)


@pytest.mark.parametrize("name", PURE)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=BYTES)
def test_a_pure_part_keeps_to_its_errors(name, data):
    PURE[name].check(data)


@pytest.mark.parametrize("name", attack.DOORS)
async def test_a_door_keeps_to_its_errors_over_what_was_found_once(world, name):
    lent, canary = world
    for path in saved(name):
        await attack.give(lent, attack.DOORS[name], path.read_bytes())
    await attack.look(lent, canary)


def test_commands_keep_to_their_exit_codes_over_what_was_found_once(empty_database_url, tmp_path):
    assert attack.type_again([path.read_bytes() for path in saved(attack.COMMANDS)], empty_database_url, tmp_path)


def test_doors_keep_to_their_errors_and_the_canary_sings(empty_database_url, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "tests.faults.hostile.attack", "400", "1", str(out)]
    address = empty_database_url.render_as_string(hide_password=False)
    subprocess.run([*command, address], check=True, timeout=55, capture_output=True)
    assert (out / "findings").read_text() == ""
    assert sum(given for given, _ in json.loads((out / "told").read_text()).values()) == 400


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM vault.canary WHERE id = 7",
        "UPDATE note SET body = 'other' WHERE id = 7",
        "CREATE TABLE other (id int)",
        "CREATE FUNCTION other() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER ROLE dal_hostile_canary CREATEDB; ALTER ROLE dal_hostile_canary NOCREATEDB REPLICATION",
        "GRANT ALL ON vault.canary TO PUBLIC",
    ],
)
async def test_a_canary_dies_of_every_injection(world, empty_database_url, change):
    _, canary = world
    other = await connect(empty_database_url)
    try:
        await other.execute(change)
        with pytest.raises(Found, match="changed"):
            await canary.check()
    finally:
        await other.execute("ALTER ROLE dal_hostile_canary NOREPLICATION")
        await other.close()


async def test_a_connection_that_keeps_a_setting_is_found(world):
    lent, canary = world
    assert isinstance(canary, Canary)
    async with lent.db.checkout() as driver:
        await driver.execute("SET app.tenant = '7'")
        with pytest.raises(Found, match="has kept"):
            await canary.settled(driver)
        await driver.execute("RESET ALL")
    async with Desk(lent.db) as desk:
        assert await desk.notes.count() == 60
