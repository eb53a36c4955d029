"""A network that can be slowed down, and how often a load waits for its answers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import URL

from bench.loads import Load
from dal.testing import Network
from dal.testing.background import Background


async def round_trips(network: Network, load: Load, below: int) -> int:
    before = network.round_trips
    await load(below)
    return network.round_trips - before


@contextmanager
def slow_network(url: URL) -> Generator[Network]:
    with Background() as background:
        network = Network(background, url)
        try:
            yield network
        finally:
            network.close()
