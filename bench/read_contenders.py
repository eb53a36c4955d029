"""Who reads, each on ten connections of its own, all open from the start to the end.

What a contender does, and whose documentation it is taken from, stands in the modules `bench.read_by_*`; the first
line of its method goes into the results. Refuses: measuring.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeAlias

from sqlalchemy import URL

from bench.read_by_dal import open_dal, open_dal_coalesced
from bench.read_by_driver import open_asyncpg_pool, open_held, open_psycopg_pool
from bench.read_by_piccolo import open_piccolo
from bench.read_by_sqlalchemy import open_advanced_alchemy, open_session, open_sqlmodel
from bench.read_by_tortoise import open_tortoise
from bench.read_rows import Search

# By contender; what is read has the attributes of an order, and may be of anyone's class.
Gets: TypeAlias = dict[str, Callable[[int], Awaitable[Any]]]
Searches: TypeAlias = dict[str, Callable[[Search], Awaitable[Sequence[Any]]]]

# dal is the last, and the fastest of the others stand before it.
OPENERS: Final[dict[str, Callable[[URL], AbstractAsyncContextManager[Any]]]] = {
    "tortoise": open_tortoise,
    "piccolo": open_piccolo,
    "advanced_alchemy": open_advanced_alchemy,
    "sqlmodel": open_sqlmodel,
    "asyncsession": open_session,
    "psycopg_pool": open_psycopg_pool,
    "asyncpg_pool": open_asyncpg_pool,
    "asyncpg_held": open_held,
    "dal": open_dal,
    "dal_coalesced": open_dal_coalesced,
}
# Who has no way of its own to search: a statement that is prepared once cannot be built anew, and only lookups by key
# share one.
ONLY_GET: Final = ("asyncpg_held", "dal_coalesced")
# Whose read is also measured without anybody beside it.
SINGLE: Final = ("asyncsession", "asyncpg_pool", "dal", "dal_coalesced")


@asynccontextmanager
async def open_readers(url: URL) -> AsyncGenerator[tuple[Gets, Searches]]:
    """Connect everyone."""
    async with AsyncExitStack() as stack:
        readers = {name: await stack.enter_async_context(opener(url)) for name, opener in OPENERS.items()}
        gets = {name: reader.get for name, reader in readers.items()}
        yield gets, {name: reader.search for name, reader in readers.items() if name not in ONLY_GET}
