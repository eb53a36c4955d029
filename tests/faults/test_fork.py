"""A process that forks goes on as if it had not: the child says nothing on its sockets, and is told why it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.conftest import ROOT
from tests.faults.forked_holds import HOLDS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

QUIET = ["closes", "disposes", "terminates", "makes_its_own"]
REFUSED = ["uses", "reads", "goes_on"]
_PATIENCE_S = 40


@contextmanager
def _program(hold, network, url):
    """Run the program until it is ready, and lend what tells it to go on."""
    urls = [each.render_as_string(hide_password=False) for each in (network.url, url)]
    command = [sys.executable, "-m", "tests.faults.forking", hold, *urls]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        try:
            yield process
        finally:
            process.kill()


def _run(hold, network, url, children):
    """Give what the children told, and what the server has heard from when it was held."""
    with _program(hold, network, url) as process, network.listening() as heard:
        said, errors = process.communicate(f"{' '.join(children)}\n", timeout=_PATIENCE_S)
    assert process.returncode == 0, errors
    return json.loads(said), heard


def _compared(hold, heard):
    """Give what must be the same with and without children: of tasks at work meanwhile, that nothing is broken off."""
    if hold in {"lookup", "statement"}:
        return [words for trip in heard for words in trip if words.startswith("Q ROLLBACK")]
    while heard and heard[-1] == ["X"]:  # which may come too late to be heard
        heard.pop()
    return heard


@pytest.mark.parametrize("hold", sorted(HOLDS))
async def test_whatever_a_child_does_the_server_hears_the_parent_alone(hold, faulty_network, direct_url, outside):
    _, alone = _run(hold, faulty_network, direct_url, [])
    await outside.execute("TRUNCATE account CASCADE")
    told, heard = _run(hold, faulty_network, direct_url, [*REFUSED, *QUIET, "exits", "winds_up"])
    assert {name: told[name][0].partition(":")[0] for name in REFUSED} == dict.fromkeys(REFUSED, "PoolMisused")
    assert all("after a fork" in told[name][0] for name in REFUSED)
    assert {name: told[name] for name in [*QUIET, "exits"]} == {name: ["", 0] for name in QUIET} | {"exits": ["", 7]}
    assert _compared(hold, heard) == _compared(hold, alone)
    assert await outside.fetchval("SELECT count(*) FROM account WHERE id = 1") == 1


@pytest.mark.parametrize("hold", sorted(HOLDS))
async def test_a_child_that_leaves_from_within_is_not_heard_either(hold, faulty_network, direct_url, outside):
    """It has no event loop any more: what its `async with`s try at their end is none of the server's business."""
    _, alone = _run(hold, faulty_network, direct_url, [])
    await outside.execute("TRUNCATE account CASCADE")
    told, heard = _run(hold, faulty_network, direct_url, ["inside"])
    assert told["inside"][1] != 0
    assert _compared(hold, heard) == _compared(hold, alone)
    assert await outside.fetchval("SELECT count(*) FROM account WHERE id = 1") == 1
