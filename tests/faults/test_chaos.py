"""A minute of chaos: nothing is lost, doubled, leaked or stuck, and nobody is told what is not documented."""

from __future__ import annotations

import pytest

from tests.faults.chaos.report import print_report
from tests.faults.chaos.run import Result, run
from tests.faults.chaos.schedule import drawn, read

SECONDS = 60
# It has found a load that was loaded twice. `make chaos` takes another one each time.
SEED = 14
# Volleys that have found something, to be seen again.
SEEN = {
    "a connection cut at the BEGIN of a stream": ["message (torn BEGIN) @0.039+0.190 & cancel (all) @0.138+0.000"] * 3,
    "a checkout that nobody left": ["garbage (checkout) @0.010+0.000"] * 3,
}

pytestmark = pytest.mark.slow


def _assert_nothing_found(result: Result) -> None:
    print_report(result)  # shown if it fails
    assert result.findings == []
    assert result.tally.wrong == result.leaked == result.stuck == result.undocumented == 0
    assert result.tally.acknowledged > 0


@pytest.mark.timeout(240)
def test_a_minute_of_chaos_finds_nothing():
    result = run(SEED, drawn(SEED), seconds=SECONDS)
    _assert_nothing_found(result)
    assert sum(result.faults.values()) >= SECONDS / 2


@pytest.mark.timeout(120)
@pytest.mark.parametrize("what", SEEN)
def test_what_was_found_once_is_not_found_again(what):
    _assert_nothing_found(run(1, map(read, SEEN[what])))
