"""What a fault is done to."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from tests.faults.chaos.traffic import Traffic
from tests.faults.chaos.world import World


class Scene(NamedTuple):
    """The world, the traffic in it, and chance."""

    world: World
    traffic: Traffic
    chance: random.Random


# Begins a fault in one of its ways, and ends it; gives what tells whether it was done.
Way = Callable[[Scene, str], AbstractAsyncContextManager[Callable[[], bool]]]


def yes() -> bool:
    """Say that the fault was done."""
    return True
