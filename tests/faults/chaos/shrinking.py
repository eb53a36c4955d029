"""Fewer faults that still find the same: volleys are left out, then faults. Pure, but for what is asked of `fails`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.faults.chaos.schedule import Volley

Fails = Callable[[Sequence[Volley]], bool]


def shrink(volleys: Sequence[Volley], fails: Fails) -> list[Volley]:
    """Give a small part of *volleys*, the last of which has led to a finding, that *fails* too.

    Chance decides with the faults, so *fails* should try more than once; what it denies is kept.
    """
    found = _without_volleys(_shortest_end(volleys, fails), fails)
    for number in range(len(found)):
        found = _without_faults(found, number, fails)
    return found


def _shortest_end(volleys: Sequence[Volley], fails: Fails) -> list[Volley]:
    length = 1
    while length < len(volleys):
        if fails(volleys[-length:]):
            return list(volleys[-length:])
        length *= 2
    return list(volleys)


def _without_volleys(volleys: list[Volley], fails: Fails) -> list[Volley]:
    for number in reversed(range(len(volleys))):
        fewer = volleys[:number] + volleys[number + 1 :]
        if fewer and fails(fewer):
            volleys = fewer
    return volleys


def _without_faults(volleys: list[Volley], number: int, fails: Fails) -> list[Volley]:
    for fault in volleys[number]:
        fewer = tuple(other for other in volleys[number] if other is not fault)
        tried = [*volleys[:number], fewer, *volleys[number + 1 :]]
        if fewer and fails(tried):
            volleys = tried
    return volleys
