"""Pauses between connects double up to a bound, and are shortened by chance."""

import pytest

from dal.backoff import backoff_s


@pytest.mark.parametrize(("failures", "bound"), [(1, 0.05), (2, 0.1), (3, 0.2), (5, 0.5), (10_000, 0.5)])
def test_a_pause_doubles_up_to_its_bound(failures, bound):
    assert backoff_s(failures, chance=1.0) == pytest.approx(bound)


def test_a_pause_is_shortened_by_chance():
    pauses = {backoff_s(5) for _ in range(100)}
    assert 0 <= min(pauses) < 0.25 < max(pauses) <= 0.5
