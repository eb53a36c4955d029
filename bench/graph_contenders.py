"""Who loads graphs, each on ten connections of its own.

What a contender does, and whose documentation it is taken from, stands in the modules `bench.graph_by_*`; the first
line of its method goes into the results.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final

from sqlalchemy import URL

from bench.graph_by_dal import open_dal
from bench.graph_by_hand import open_by_hand
from bench.graph_by_sqlalchemy import open_advanced_alchemy, open_selectinload
from bench.graph_by_tortoise import open_tortoise

# dal is the last, and the fastest of the others stands before it.
OPENERS: Final[dict[str, Callable[[URL], AbstractAsyncContextManager[Any]]]] = {
    "tortoise": open_tortoise,
    "advanced_alchemy": open_advanced_alchemy,
    "selectinload": open_selectinload,
    "handwritten": open_by_hand,
    "dal": open_dal,
}


@asynccontextmanager
async def open_loaders(url: URL, names: Sequence[str] = tuple(OPENERS)) -> AsyncGenerator[dict[str, Any]]:
    """Connect those of *names*."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(OPENERS[name](url)) for name in names}
