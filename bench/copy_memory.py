"""Load once and print what memory that took: `python -m bench.copy_memory parquet|tuples PATH|ROWS URL`.

`bench.copy_resident` runs it. A module of its own, so that the process holds no more than an application that loads.
"""

from __future__ import annotations

import asyncio
import sys

from bench.copy_rows import TABLE, records
from bench.memory import print_resident
from dal import Database, PoolConfig
from dal.copy import copy_in


async def main(kind: str, source: str, url: str) -> None:
    async with Database(url, pool=PoolConfig(size=1)) as database:
        given = source if kind == "parquet" else records(int(source))
        await print_resident(copy_in(database, TABLE, given))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
