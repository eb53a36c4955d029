"""Numbers beyond all bounds are refused as what they are."""

import sys

import pytest

from dal.errors import ConfigError, KeysetError
from dal.transaction.options import opening
from tests.models import Account, Accounts

HUGE = 10**400


@pytest.mark.parametrize("name", ["timeout_s", "lock_timeout_s", "statement_timeout_s"])
def test_a_timeout_larger_than_any_float_is_refused(name):
    with pytest.raises(ConfigError, match="must be more than 0 seconds"):
        opening({name: HUGE})


@pytest.mark.parametrize("name", ["timeout_s", "lock_timeout_s", "statement_timeout_s"])
def test_a_timeout_larger_than_the_servers_is_the_servers_largest(name):
    assert opening({name: sys.float_info.max}).endswith(str(2**31 - 1))


@pytest.mark.parametrize("limit", [HUGE, 2**63 - 1, 1.5, 1.0, float("inf"), float("nan"), "5", None])
async def test_a_page_has_a_whole_number_of_rows_that_the_server_can_count(db, limit):
    with pytest.raises(KeysetError, match="limit is no int up to"):
        await Accounts(db).page(limit=limit)


async def test_the_largest_page_is_read(db):
    assert len((await Accounts(db).page(limit=2**63 - 2)).items) == 0


@pytest.mark.parametrize("into", [None, Account.id])
@pytest.mark.parametrize("rows", [HUGE, 2**31, float("inf"), float("nan")])
def test_a_batch_has_as_many_rows_as_the_protocol_can_ask_for(db, rows, into):
    with pytest.raises(ValueError, match="must be an integer from 1 to"):
        Accounts(db).stream(batch_rows=rows, into=into)
