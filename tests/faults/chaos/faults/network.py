"""Faults of the network: of all connections at once, and of one at a chosen message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from tests.faults.chaos.faults.scene import Scene, yes

_DELAY_S: Final = 0.05


@asynccontextmanager
async def network(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:
    """Reset every connection, or new ones only, or let nothing through, or let it through late."""
    net = scene.world.network
    begin: dict[str, Callable[[], None]] = {
        "reset": net.cut,
        "refused": net.refuse,
        "held": net.hold,
        "black hole": net.black_hole,
        "delayed": lambda: net.delay(_DELAY_S),
    }
    await asyncio.to_thread(begin[way])
    if way in {"refused", "held"}:
        await asyncio.to_thread(net.cut)  # so that new ones are needed
    try:
        yield yes
    finally:
        await asyncio.to_thread(net.heal)


@asynccontextmanager
async def message(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:
    """End, tear or silence the connection that next says something, or is answered it."""
    net = scene.world.network
    end, words, answered = _read(way)
    if end == "black hole":
        moment = await asyncio.to_thread(lambda: net.black_hole_at(words, answered=answered))
    else:
        moment = await asyncio.to_thread(lambda: net.cut_at(words, answered=answered, torn=end == "torn"))
    try:
        yield lambda: moment.has_come
    finally:
        await asyncio.to_thread(net.heal)


def _read(way: str) -> tuple[str, str, bool]:
    end = next(end for end in ("cut", "torn", "black hole") if way.startswith(end))
    words = way.removeprefix(end).removesuffix(" answered").strip()
    return end, "" if words == "anything" else words, way.endswith(" answered")
