"""Every kind of fault, and what does it."""

from __future__ import annotations

import asyncio
from typing import Final

from tests.faults.chaos.faults import neighbours, network, process, server
from tests.faults.chaos.faults.scene import Scene, Way
from tests.faults.chaos.schedule import Fault

WAYS: Final[dict[str, Way]] = {
    "backend": server.backend,
    "server": server.server,
    "network": network.network,
    "message": network.message,
    "disk": neighbours.disk,
    "connections": neighbours.connections,
    "lock": neighbours.lock,
    "schema": neighbours.schema,
    "clock": process.clock,
    "cancel": process.cancel,
    "loop": process.loop,
    "garbage": process.garbage,
    "fork": process.fork,
}


async def inflict(scene: Scene, fault: Fault) -> bool:
    """Do *fault* at its time, for its time; gives whether it was done: a message that nobody sent was not cut."""
    await asyncio.sleep(fault.after_s)
    async with WAYS[fault.kind](scene, fault.way) as is_done:
        await asyncio.sleep(fault.for_s)
    return is_done()
