"""The harness of the chaos runs: schedules replay, the journal sees what is wrong, shrinking keeps what matters."""

from __future__ import annotations

import time
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.chaos.faults.process import clock
from tests.faults.chaos.faults.ways import WAYS
from tests.faults.chaos.journal import Found, Journal, Told
from tests.faults.chaos.schedule import KINDS, drawn, read, spelt
from tests.faults.chaos.shrinking import shrink

seeds = st.integers(0, 1 << 32)


def _volleys(seed, number=30):
    return list(islice(drawn(seed), number))


@given(seeds)
def test_a_schedule_is_the_same_from_the_same_seed(seed):
    assert _volleys(seed) == _volleys(seed)


@given(seeds)
def test_a_volley_is_read_as_it_was_spelt(seed):
    for volley in _volleys(seed):
        assert read(spelt(volley)) == volley


@pytest.mark.parametrize("text", ["", "backend", "backend (all)", "moon (all) @0.1+0.2", "backend (moon) @0.1+0.2"])
def test_what_is_no_volley_is_refused(text):
    with pytest.raises(ValueError, match="this is no fault"):
        read(text)


async def test_clocks_that_are_set_at_once_go_right_again():
    real = time.time
    first, second = clock(None, "ahead"), clock(None, "behind")
    await first.__aenter__()
    assert time.time() > real() + 3000
    await second.__aenter__()
    assert time.time() == pytest.approx(real(), abs=10)
    await first.__aexit__(None, None, None)
    assert time.time() < real() - 3000
    await second.__aexit__(None, None, None)
    assert time.time is real


def test_every_kind_of_fault_is_drawn_and_done_in_every_way():
    assert set(KINDS) == set(WAYS)
    seen = {(fault.kind, fault.way) for volley in _volleys(1, 3_000) for fault in volley}
    assert seen == {(name, way) for name, kind in KINDS.items() for way in kind.ways}


@given(seeds, st.data())
def test_shrinking_keeps_the_faults_that_matter_and_no_others(seed, data):
    volleys = [tuple(dict.fromkeys(volley)) for volley in _volleys(seed, 12)]
    last = data.draw(st.sampled_from(volleys[-1]))
    other = data.draw(st.sampled_from([fault for volley in volleys[:-1] for fault in volley]))

    def fails(tried):
        faults = [fault for volley in tried for fault in volley]
        return other in faults and last in faults

    assert {fault for volley in shrink(volleys, fails) for fault in volley} == {other, last}


JUDGED = {
    "done, and there": (2, Told.DONE, Found(2, 2), None),
    "done, and not there": (1, Told.DONE, Found(0, 0), "lost"),
    "done, and half of it there": (2, Told.DONE, Found(1, 1), "lost"),
    "done twice": (1, Told.DONE, Found(2, 1), "doubled"),
    "unknown, and there twice": (1, Told.MAYBE, Found(2, 1), "doubled"),
    "not done, and there": (1, Told.UNDONE, Found(1, 1), "ghosts"),
    "not done, and not there": (1, Told.UNDONE, Found(0, 0), None),
    "unknown, and there": (2, Told.MAYBE, Found(2, 2), None),
    "unknown, and not there": (2, Told.MAYBE, Found(0, 0), None),
    "unknown, and half of it there": (2, Told.MAYBE, Found(1, 1), "torn"),
    "not told of, and half of it there": (2, Told.NOTHING, Found(1, 1), "torn"),
}


@pytest.mark.parametrize("case", JUDGED)
def test_the_journal_tells_what_is_wrong(case):
    size, told, found, wrong = JUDGED[case]
    journal = Journal()
    group = journal.open(size)
    group.told = told
    tally, words = journal.compare({group.number: found})
    assert tally.wrong == len(words) == (wrong is not None)
    assert wrong is None or getattr(tally, wrong) == 1


def test_a_load_in_parts_may_be_half_there_until_it_is_done():
    journal = Journal()
    load = journal.open(10, in_parts=True)
    assert journal.compare({0: Found(5, 5)})[1] == []
    assert len(journal.compare({0: Found(5, 4)})[1]) == 1
    load.told = Told.DONE
    assert len(journal.compare({0: Found(5, 5)})[1]) == 1
    assert journal.since() == 1


def test_what_nobody_has_written_is_found():
    assert Journal().compare({3: Found(1, 1)})[1] == ["group 3 is there, and nobody has written it"]
