"""A process that uses an embedded server until its input ends: `python -m tests.embedded_user PURPOSE`."""

import asyncio
import sys

from dal.testing import EmbeddedServer
from tests.looking import connect


async def _ask(server: EmbeddedServer) -> str:
    connection = await connect(server.url)
    try:
        return str(await connection.fetchval("SELECT pg_postmaster_start_time()"))
    finally:
        await connection.close()


if __name__ == "__main__":
    with EmbeddedServer(sys.argv[1]) as server:
        print(asyncio.run(_ask(server)), flush=True)  # noqa: T201 # what the test waits for
        sys.stdin.read()
