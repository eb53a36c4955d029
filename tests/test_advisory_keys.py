"""The names of advisory locks mean the same lock everywhere."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dal.locks import AdvisoryKey, patience_s

NUMBERS = st.integers(-(2**63), 2**63 - 1)
HALVES = st.integers(-(2**31), 2**31 - 1)


def test_a_name_has_the_number_that_it_always_had():
    assert AdvisoryKey.of("billing").numbers == (906850720199613079,)


@pytest.mark.parametrize("name", ["billing", "", "Zoë \\ 'quoted' 🔒"])
async def test_sql_gives_a_name_the_same_number(outside, name):
    in_sql = "SELECT ('x' || encode(substr(sha256(convert_to($1, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint"
    assert AdvisoryKey.of(name).numbers == (await outside.fetchval(in_sql, name),)


@given(st.one_of(st.text(), NUMBERS))
def test_a_name_or_number_is_put_together_again_from_pg_locks(name):
    key = AdvisoryKey.of(name)
    high, low, kind = key.in_pg_locks
    assert (kind, (high << 32 | low) % 2**64) == (1, key.numbers[0] % 2**64)


@given(HALVES, HALVES)
def test_a_pair_is_put_together_again_from_pg_locks(one, two):
    first, second, kind = AdvisoryKey.of((one, two)).in_pg_locks
    assert (kind, first, second) == (2, one % 2**32, two % 2**32)


@pytest.mark.parametrize("name", [2**63, -(2**63) - 1, (2**31, 0), (0, -(2**31) - 1)])
def test_a_number_that_does_not_fit_is_refused(name):
    with pytest.raises(ValueError, match="must fit"):
        AdvisoryKey.of(name)


@pytest.mark.parametrize("name", [None, 1.0, True, b"billing", (1,), (1, 2, 3), ("a", "b")])
def test_what_names_no_lock_is_refused(name):
    with pytest.raises(TypeError, match="named by"):
        AdvisoryKey.of(name)


def test_patience_is_without_end_unless_limited():
    assert (patience_s(wait=True, timeout_s=None), patience_s(wait=True, timeout_s=2)) == (math.inf, 2)


def test_no_wait_is_no_patience():
    assert patience_s(wait=False, timeout_s=None) == 0
    with pytest.raises(ValueError, match="exclude each other"):
        patience_s(wait=False, timeout_s=1)
