"""A process that uses an embedded server until its input ends: `python -m tests.embedded_user PURPOSE [PATIENCE_S]`."""

import asyncio
import select
import signal
import sys

from dal.testing import EmbeddedServer, embedded
from tests.looking import connect


async def _ask(server: EmbeddedServer) -> str:
    connection = await connect(server.url)
    try:
        return str(await connection.fetchval("SELECT pg_postmaster_start_time()"))
    finally:
        await connection.close()


if __name__ == "__main__":
    # A shell starts what it puts in the background deaf to Ctrl-C, and so is whatever that starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if len(sys.argv) > 2:
        vars(embedded)["_STOPS_WITHIN_S"] = int(sys.argv[2])
    with EmbeddedServer(sys.argv[1]) as server:
        print(asyncio.run(_ask(server)), flush=True)  # noqa: T201 # what the test waits for
        # Not one long read: a signal that comes just before it would wait for its end.
        while not select.select([sys.stdin], [], [], 0.1)[0]:
            pass
