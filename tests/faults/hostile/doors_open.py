"""Doors by which a database is opened, and the command line."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, Final
from unittest import mock

from sqlalchemy import text

from dal import Database, DatabaseConfig, PoolConfig
from dal.cli import main
from dal.errors import CannotConnect, ConnectionLost
from tests.faults.hostile.drawing import Draw
from tests.faults.hostile.part import Found
from tests.faults.hostile.words import ADDRESSES, NAMES, NUMBERS
from tests.faults.hostile.world import ODD_NAME, Door, World

_ONE: Final = PoolConfig(size=1, min_idle=0, connect_timeout_s=2.0)
# What may be set for a connection without harm to others.
_KNOWN: Final = [
    "search_path",
    "application_name",
    "work_mem",
    "app.tenant",
    "datestyle",
    "client_encoding",
    "role",
    "is_superuser",
]


async def open_with_settings(world: World, draw: Draw) -> None:
    """Connect with settings of any name and value: no other setting is another one for it."""
    settings = {draw.one_of(_KNOWN) if draw.flag() else draw.text(): draw.text() for _ in range(1 + draw.under(2))}
    name = draw.text() if draw.flag() else "dal"
    config = DatabaseConfig(url=world.url, server_settings=settings, application_name=name, pool=_ONE)
    async with Database(config) as db, db.reading() as session:
        found = await session.execute(
            text("SELECT name FROM pg_settings WHERE source = 'client' AND name <> 'client_encoding'")
        )
        others = {row[0].lower() for row in found} - {each.lower() for each in settings} - {"application_name"}
        # What asyncpg and SQLAlchemy set by themselves.
        if others - {"timezone", "datestyle", "jit", "extra_float_digits", "transaction_isolation"}:
            raise Found(f"{settings!r} and the application {name!r} have set {others}")
        if await session.scalar(text("SELECT current_user <> session_user")) and "role" not in settings:
            raise Found(f"{settings!r} and the application {name!r} have changed the role")


async def open_url(world: World, draw: Draw) -> None:
    """Open a URL to this machine, of which parts are anything: it is opened, or refused by a documented error."""
    url = world.url
    query: dict[str, Any] = dict(url.query)
    match draw.under(6):
        case 0:
            url = url.set(username=draw.text())
        case 1:
            url = url.set(database=draw.text())
        case 2:
            query["port"] = draw.one_of(NUMBERS)
        case 3:
            query[draw.one_of(["sslmode", "ssl", "passfile", "target_session_attrs", "application_name"])] = draw.text(
                (*ADDRESSES, "disable", "any")
            )
        case 4:
            url = url.set(
                host="127.0.0.1", port=draw.one_of([0, 1, 65535, 65536, 99999, 2**31, 2**64, -1]), password="x"
            )
            query = {}
        case _:
            query["host"] = draw.one_of(
                [
                    "/nowhere",
                    "/" + "x" * 200,
                    str(world.folder),
                    "/etc/passwd",
                    "/\0",
                    "/é",
                    "",
                    "127.0.0.1:1",
                    "/tmp,/x",
                ]
            )
    database = Database(DatabaseConfig.from_url(url.set(query=query), pool=_ONE))
    try:
        await database.open()
    finally:
        await database.close()


def command(world: World, draw: Draw) -> None:
    """Type anything: a line of what is wrong and its exit code, and never a traceback."""
    arguments = _arguments(draw, world)
    environ = {"DAL_DATABASE_URL": world.url.render_as_string(hide_password=False), "PATH": os.environ.get("PATH", "")}
    out, told = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    code: Any = None
    streams = mock.patch.multiple(
        sys, argv=["dal", *arguments], stdin=io.TextIOWrapper(io.BytesIO(b"id,words\n1,a\n"), "utf-8")
    )
    redirected = contextlib.redirect_stdout(out), contextlib.redirect_stderr(told)
    around = mock.patch.dict(os.environ, environ, clear=True), contextlib.chdir(world.folder)
    with streams, around[0], around[1], redirected[0], redirected[1]:
        try:
            main()
        except SystemExit as error:
            code = error.code
    if code not in (0, 1, 2):
        raise Found(f"dal {arguments!r} ends with {code!r}")
    lines = told.getvalue().splitlines()
    if code == 2 and arguments and len(lines) > 1:
        raise Found(f"dal {arguments!r} says {len(lines)} lines: {lines[:3]}")


def _arguments(draw: Draw, world: World) -> list[str]:
    """Draw a command line. As a shell would give it: what is no UTF-8 is half a character, and nothing has a NUL."""
    (world.folder / "good.csv").write_text("id,words\n1,a\n")
    table = draw.one_of(["sheet", ODD_NAME]) if draw.under(3) else _word(draw)
    schema = ["--schema", "play" if draw.under(4) else _word(draw)]
    match draw.under(8):
        case 0 | 1:
            more = [draw.one_of(_LOAD), _word(draw)] if draw.flag() else []
            return [
                "load",
                "good.csv" if draw.flag() else _word(draw),
                "--table",
                table,
                *schema,
                "--on-conflict",
                "replace",
                *more,
            ]
        case 2 | 3:
            more = [draw.one_of(["--columns", "--order-by", "--format"]), _word(draw)] if draw.flag() else []
            return [
                "dump",
                draw.one_of(["-", "out.csv", "out.parquet"]) if draw.flag() else _file(draw),
                "--table",
                table,
                *schema,
                *more,
            ]
        case 4 | 5:
            return ["db", draw.one_of(_DB), *(_word(draw) for _ in range(draw.under(3)))]
        case 6:
            return ["load", "good.csv", "--table", table, *schema, "--url", _address(draw)]
        case _:
            return [_word(draw) for _ in range(draw.under(4))]


_LOAD: Final = [
    "--rename", "--key", "--update", "--rejects", "--rejects-table", "--max-rejects", "--resume",
    "--commit-every", "--workers",
    "--format", "--delimiter", "--quote", "--escape", "--null", "--encoding", "--columns", "--date", "--nonsense",
]  # fmt: skip
_DB: Final = ["current", "history", "locks", "upgrade", "downgrade", "stamp", "lint", "check", "nonsense", "revision"]


def _address(draw: Draw) -> str:
    """Name no other machine: a look-up of its name would take its time."""
    return (
        _typed(draw.text(ADDRESSES))
        .replace("//u@h", "//u@127.0.0.1")
        .replace("@h", "@127.0.0.1")
        .replace("//h/", "//127.0.0.1/")
    )


def _word(draw: Draw) -> str:
    return _typed(draw.text(NAMES) if draw.flag() else draw.text())[:5000]


def _file(draw: Draw) -> str:
    """Name a file in the folder, and no other one."""
    return _typed(draw.text(NAMES)).replace("/", "_").lstrip("~")[:80] or "x"


def _typed(words: str) -> str:
    return words.replace("\0", "").encode("utf-8", "replace").decode() if not _is_typed(words) else words


def _is_typed(words: str) -> bool:
    try:
        words.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return "\0" not in words


OPEN: Final = [
    Door("connections", open_with_settings, 2, (ConnectionLost,)),
    Door("addresses", open_url, 2, (CannotConnect, ConnectionLost)),
]
