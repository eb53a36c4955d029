"""An error goes from one process to another and stays what it was."""

import pickle

import pytest
from sqlalchemy import text

from dal import Database, errors
from tests.models import Account, Accounts


@pytest.fixture
async def violation(db: Database) -> errors.UniqueViolation:
    """Lend a real UniqueViolation."""
    await Accounts(db).add(Account(id=1, owner="alice", balance=0))
    with pytest.raises(errors.UniqueViolation) as caught:
        await Accounts(db).add(Account(id=2, owner="alice", balance=0))
    return caught.value


async def test_a_pickled_error_keeps_its_class_and_message(violation):
    again = pickle.loads(pickle.dumps(violation))
    assert (type(again), str(again)) == (type(violation), str(violation))


async def test_a_pickled_error_keeps_what_the_server_said(violation):
    again = pickle.loads(pickle.dumps(violation))
    said = ("sqlstate", "constraint", "schema", "table", "column", "position", "statement")
    assert [getattr(again, name) for name in said] == [getattr(violation, name) for name in said]


async def test_the_detail_which_holds_values_is_not_pickled(violation):
    assert "alice" in str(violation.server_detail)
    assert b"alice" not in pickle.dumps(violation)


async def test_the_detail_is_pickled_where_parameters_are_shown(violation):
    violation.hide_parameters = False
    assert pickle.loads(pickle.dumps(violation)).server_detail == violation.server_detail


@pytest.mark.parametrize("kind", [errors.NotFound, errors.PoolTimeout, errors.CopyError, errors.NotLoaded])
def test_every_other_error_is_pickled_too(kind):
    again = pickle.loads(pickle.dumps(kind("what happened")))
    assert (type(again), str(again)) == (kind, "what happened")


def test_a_stale_entity_is_pickled_with_what_it_knows():
    again = pickle.loads(pickle.dumps(errors.StaleEntity("Order", (7,), 1, None)))
    assert (again.entity, again.identity, again.expected, again.found) == ("Order", (7,), 1, None)


async def test_the_remark_of_autoflush_stays_beside_the_message(db):
    with pytest.raises(errors.CheckViolation) as caught:
        async with db.writing() as session:
            session.add(Account(id=1, owner="alice", balance=-1))
            await session.execute(text("SELECT 1"))
    message = str(caught.value)
    assert message.startswith("new row for relation")
    assert "autoflush" in message


async def test_an_error_with_a_remark_is_pickled_too(violation):
    violation.add_detail("raised by a test")
    assert str(pickle.loads(pickle.dumps(violation))) == str(violation)
