"""What an operation of the service has at hand."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from dal import Database
from tests.faults.chaos.journal import Group, Journal


class WrongAnswer(AssertionError):
    """Something was read that nobody has written."""


class Withdrawn(Exception):
    """The service's own reason to roll back."""


@dataclass(slots=True)
class Service:
    """A database with its journal, and what operations hand on to each other."""

    db: Database
    journal: Journal
    chance: random.Random
    loads: deque[Group] = field(default_factory=deque)
    walks: deque[Any] = field(default_factory=deque)


def expect(holds: object, words: str) -> None:
    """Raise `WrongAnswer` with *words* unless it *holds*."""
    if not holds:
        raise WrongAnswer(words)
