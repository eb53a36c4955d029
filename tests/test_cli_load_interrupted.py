"""Ctrl-C in the middle of `dal load` is one line and exit code 130, and leaves nothing; a terminal sees progress."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal

import pytest

from tests.command import Command
from tests.looking import (
    PATIENCE_S,
    backends,
    connect,
    count,
    until,
    until_none_left,
    until_running,
    until_waiting_for_a_lock,
)

HEAD = b"id,owner,balance\n"


@pytest.fixture
def dal(database_url, tmp_path):
    return Command(database_url, tmp_path)


def _rows(first, last):
    return b"".join(b"%d,owner %d,%d\n" % (n, n, n) for n in range(first, last))


@pytest.fixture
def start(dal):
    """Begin `dal load -`; whatever is left of it at the end of the test is ended."""
    begun = []

    def start(*more, **pipes):
        begun.append(dal.start("load", "-", "--table", "account", *more, **pipes))
        return begun[-1]

    yield start
    for each in begun:
        each.kill()
        each.wait()
        for pipe in (each.stdin, each.stdout, each.stderr):
            if pipe is not None:
                pipe.close()


def _give(process, data):
    process.stdin.write(data)
    process.stdin.flush()


async def _interrupted(process):
    """Interrupt it, with its standard input still open; give what it says."""
    process.send_signal(signal.SIGINT)
    code = await asyncio.to_thread(process.wait, PATIENCE_S)
    said = process.stderr.read().decode()
    assert (code, said.count("\n"), process.stdout.read()) == (130, 1, b""), said
    return said


async def test_ctrl_c_in_the_middle_leaves_nothing(start, outside):
    process = start()
    await asyncio.to_thread(_give, process, HEAD + _rows(0, 200_000))
    await until_running(outside, "COPY")
    assert await _interrupted(process) == "dal: interrupted: rolled back, nothing was loaded.\n"
    await until_none_left(outside)
    assert await count(outside, "account") == 0


async def test_ctrl_c_before_the_first_record_is_heard(start, outside):
    process = start("--format", "ndjson")
    await until(lambda: _is_connected(outside))
    await _interrupted(process)
    await until_none_left(outside)


async def _is_connected(outside):
    return bool(await backends(outside))


async def test_ctrl_c_while_the_server_waits_leaves_nothing(start, outside, direct_url):
    holder = await connect(direct_url)
    process = start("--on-conflict", "skip")
    async with holder.transaction():
        await holder.execute("LOCK TABLE account")
        await asyncio.to_thread(_give, process, HEAD + _rows(0, 10))
        process.stdin.close()
        await until_waiting_for_a_lock(outside)
        await _interrupted(process)
    await holder.close()
    await until_none_left(outside)
    assert await count(outside, "account") == 0


async def test_ctrl_c_leaves_what_was_committed_and_says_so(start, outside):
    process = start("--commit-every", "8192")
    await asyncio.to_thread(_give, process, HEAD + _rows(0, 200_000))
    await until(lambda: _has(outside, 16_384))
    found = re.fullmatch(
        r"dal: interrupted: the first ([\d,]+) records are settled and stay\.\n", await _interrupted(process)
    )
    await until_none_left(outside)
    assert await count(outside, "account") == int(found[1].replace(",", "")) >= 16_384


async def test_ctrl_c_before_a_load_has_gone_on_says_what_was_committed_before(start, outside, direct_url):
    first = start("--commit-every", "8192", "--resume", "again")
    await asyncio.to_thread(_give, first, HEAD + _rows(0, 200_000))
    await until(lambda: _has(outside, 16_384))
    said = await _interrupted(first)
    await until_none_left(outside)
    for lock, expected in (("account IN SHARE MODE", said), ("dal_loads", _NOT_BEGUN)):
        holder = await connect(direct_url)
        async with holder.transaction():
            await holder.execute(f"LOCK TABLE {lock}")
            second = start("--commit-every", "8192", "--resume", "again")
            await asyncio.to_thread(_give, second, HEAD + _rows(0, 10))
            second.stdin.close()
            await until_waiting_for_a_lock(outside)
            assert await _interrupted(second) == expected
        await holder.close()
        await until_none_left(outside)


_NOT_BEGUN = "dal: interrupted before it began: nothing was loaded.\n"


async def _has(outside, rows):
    return await count(outside, "account") >= rows


async def test_a_second_ctrl_c_leaves_at_once_a_source_that_gives_nothing(dal, outside):
    os.mkfifo(dal.folder / "a.csv")
    process = dal.start("load", "a.csv", "--table", "account")
    with await asyncio.to_thread((dal.folder / "a.csv").open, "wb") as source:
        await asyncio.to_thread(source.write, HEAD + _rows(0, 200_000))
        await until_running(outside, "COPY")
        await until(lambda: process.poll() is not None or process.send_signal(signal.SIGINT))
    said = process.communicate()[1].decode()
    assert (process.returncode, said.count("\n")) == (130, 1), said
    assert said.startswith("dal: interrupted again: left at once")
    await until_none_left(outside)
    assert await count(outside, "account") == 0


def _read(terminal):
    """Read what a terminal was sent, until its other side is closed."""
    data = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            return data.decode()
        if not part:
            return data.decode()
        data += part


async def test_a_terminal_sees_progress_on_the_standard_error(dal, outside):
    (dal.folder / "a.csv").write_bytes(HEAD + _rows(-3, 300_000))
    ours, theirs = pty.openpty()
    process = dal.start("load", "a.csv", "--table", "account", "--on-error", "reject", "--json", stderr=theirs)
    os.close(theirs)
    seen = await asyncio.to_thread(_read, ours)
    os.close(ours)
    code = await asyncio.to_thread(process.wait, PATIENCE_S)
    out = process.communicate()[0]
    assert (code, out.count(b"\n"), out[:1]) == (3, 1, b"{")
    assert re.search(r"[\d.]+ of [\d.]+ MB, [\d,]+ rows, [\d,]+ rows/s", seen), seen
    assert "account" in seen


async def test_a_terminal_gets_its_cursor_back_after_ctrl_c(dal, start, outside):
    ours, theirs = pty.openpty()
    process = start(stderr=theirs)
    os.close(theirs)
    await asyncio.to_thread(_give, process, HEAD + _rows(0, 200_000))
    await until_running(outside, "COPY")
    process.send_signal(signal.SIGINT)
    seen = await asyncio.to_thread(_read, ours)
    os.close(ours)
    assert await asyncio.to_thread(process.wait, PATIENCE_S) == 130
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")
    assert seen.endswith("dal: interrupted: rolled back, nothing was loaded.\r\n")


async def test_no_terminal_sees_no_progress(dal, outside):
    (dal.folder / "a.csv").write_bytes(HEAD + _rows(0, 50_000))
    done = await asyncio.to_thread(dal.load, "a.csv")
    assert (done.returncode, done.stderr) == (0, "")
