"""TPC-H's data at any scale, as Parquet files by `tpchgen-cli`, and what their columns are called in the shop."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dal.errors import ConfigError, MissingExtra


@dataclass(frozen=True, slots=True)
class ShopTable:
    """One table of the shop: its repository in `Shop`, its file, and the shop's name for each column of the file."""

    repository: str
    file: str
    rename: Mapping[str, str]


def _table(repository: str, file: str, prefix: str, columns: str) -> ShopTable:
    pairs = (column.split("=") for column in columns.split())
    return ShopTable(repository, f"{file}.parquet", {f"{prefix}_{theirs}": ours for theirs, ours in pairs})


# In the order in which foreign keys allow them to be loaded.
TABLES: Final = (
    _table("regions", "region", "r", "regionkey=id name=name comment=comment"),
    _table("nations", "nation", "n", "nationkey=id name=name regionkey=region_id comment=comment"),
    _table(
        "suppliers", "supplier", "s",
        "suppkey=id name=name address=address nationkey=nation_id phone=phone acctbal=balance comment=comment",
    ),
    _table(
        "parts", "part", "p",
        "partkey=id name=name mfgr=manufacturer brand=brand type=type size=size container=container "
        "retailprice=retail_price comment=comment",
    ),
    _table(
        "part_supplies", "partsupp", "ps",
        "partkey=part_id suppkey=supplier_id availqty=available supplycost=supply_cost comment=comment",
    ),
    _table(
        "customers", "customer", "c",
        "custkey=id name=name address=address nationkey=nation_id phone=phone acctbal=balance mktsegment=segment "
        "comment=comment",
    ),
    _table(
        "orders", "orders", "o",
        "orderkey=id custkey=customer_id orderstatus=status totalprice=total_price orderdate=placed_on "
        "orderpriority=priority clerk=clerk shippriority=ship_priority comment=comment",
    ),
    _table(
        "order_lines", "lineitem", "l",
        "orderkey=order_id partkey=part_id suppkey=supplier_id linenumber=line_number quantity=quantity "
        "extendedprice=extended_price discount=discount tax=tax returnflag=return_flag linestatus=status "
        "shipdate=shipped_on commitdate=committed_on receiptdate=received_on shipinstruct=ship_instructions "
        "shipmode=ship_mode comment=comment",
    ),
)  # fmt: skip


def generate(scale: float, folder: Path) -> Path:
    """Make the eight Parquet files of *scale* under *folder*, unless they are there; return where they are.

    A scale of 1 is 1 GB as text and takes seconds; the files appear together, or not at all.
    """
    if not scale > 0:
        raise ConfigError(f"the scale is {scale}; it must be more than 0.")
    made = folder / f"tpch-{scale:g}"
    if not made.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as making:
                _run_generator(scale, Path(making))
                _move_whole(Path(making), made)
        except OSError as error:
            raise ConfigError(f"cannot write TPC-H data to {folder}: {(error.strerror or '').lower()}.") from error
    return made


def _run_generator(scale: float, folder: Path) -> None:
    program = shutil.which("tpchgen-cli", path=sysconfig.get_path("scripts")) or shutil.which("tpchgen-cli")
    if program is None:
        raise MissingExtra("tpchgen-cli is not installed: pip install 'dal[demo]'")
    command = [program, "parquet", "--scale-factor", f"{scale:g}", "--output-dir", str(folder), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise ConfigError(f"tpchgen-cli cannot write TPC-H data to {folder.parent}: {reason}")


def _move_whole(making: Path, made: Path) -> None:
    files = making / "files"
    files.mkdir()
    for file in making.glob("*.parquet"):
        file.rename(files / file.name)
    try:
        files.rename(made)
    except OSError:
        if not made.exists():  # else another process was first, with the same files
            raise
