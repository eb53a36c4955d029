"""The same pool for threads and for synchronous code: a portal into an event loop, and no second copy of the API.

    with blocking.opened(Database(url)) as portal:
        order = portal.call(OrderRepository(db).get_one, 42)
        with portal.wrap_async_context_manager(Shop(db)) as shop:
            portal.call(shop.orders.add, order)

A thread that an async application has started with anyio calls the application's own `Database` by
`anyio.from_thread.run`, and needs nothing from here. Needs the extra `blocking`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from dal.database import Database
from dal.errors import extra_needed

with extra_needed("blocking"):
    from anyio.from_thread import BlockingPortal, start_blocking_portal


@contextmanager
def opened(db: Database) -> Generator[BlockingPortal]:
    """Open *db* in an event loop in a thread of its own, and lend the portal to that loop; any thread may call it.

    Raises what `Database.open` raises. A call that is interrupted by an exception in the calling thread, such as
    KeyboardInterrupt, is cancelled.
    """
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(db):
        yield portal
