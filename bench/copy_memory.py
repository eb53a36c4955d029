"""Load one Parquet file and print what memory that took: `python -m bench.copy_memory PARQUET URL`.

`bench.copy_in` runs it. A module of its own, so that the process holds no more than an application that loads.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bench.memory import print_resident
from bench.order_lines import load
from dal import Database, PoolConfig


async def main(parquet: str, url: str) -> None:
    async with Database(url, pool=PoolConfig(size=1)) as database:
        await print_resident(load(database, Path(parquet)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
