"""What each entity that was read takes of Python's memory while its session is open."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any


async def bytes_each(read: Callable[[], Awaitable[Sequence[Any]]]) -> float:
    """Read twice, the first time for what is made once; give the bytes that came and stayed, by entity."""
    await read()
    gc.collect()
    tracemalloc.start()
    try:
        entities = await read()
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
        return taken / len(entities)
    finally:
        tracemalloc.stop()
