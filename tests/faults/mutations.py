"""Guards that are broken, one at a time, in a copy of the project: the tests that stand for each must fail.

`python -m tests.faults.mutations` runs all and writes what caught them into tests/faults/README.md. Exit status 1 if
one was not caught.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
README: Final = Path(__file__).with_name("README.md")
_COPIED: Final = ("dal", "tests", "alembic", "bench", "docs", "examples", "alembic.ini", "pyproject.toml", "README.md")
_TABLE: Final = re.compile(r"(?<=<!-- results -->\n).*(?=<!-- end -->)", re.DOTALL)
_TIMEOUT_S: Final = 900


class Guard(NamedTuple):
    """Something that must hold, the place that sees to it, what is put there instead, and the tests of it."""

    name: str
    file: str
    sound: str
    broken: str
    tests: tuple[str, ...]


GUARDS: Final = (
    Guard(
        "BEGIN before what dal sends itself",
        "dal/session.py",
        "    if adapted.driver_connection.is_in_transaction():\n",
        "    if adapted is not None:\n",
        ("tests/test_copy_transaction.py",),
    ),
    Guard(
        "a rollback is finished though its task is cancelled",
        "dal/transaction/finishing.py",
        "await asyncio.wait([task])",
        "await task",
        ("tests/test_unit_of_work_cancelled.py",),
    ),
    Guard(
        "a connection that comes back in a transaction is closed",
        "dal/pool/recycling.py",
        "return watched.is_cancelling() or watched.is_at_rest or watched.is_begun_only",
        "return slot is not None",
        ("tests/test_pool_recycling.py", "tests/test_pool_misused.py", "tests/test_pool_life.py"),
    ),
    Guard(
        "who is cancelled in his turn hands it on",
        "dal/pool/waiting.py",
        "                give_back(future.result())",
        "                pass",
        ("tests/test_pool_cancellation.py",),
    ),
    Guard(
        "a lost COMMIT is not taken for a lost connection",
        "dal/pool/driver_transaction.py",
        "raise CommitOutcomeUnknown(",
        "raise ConnectionError(",
        ("tests/test_commit_outcome.py",),
    ),
    Guard(
        "a transaction that the server says is aborted was rolled back",
        "dal/transaction/outcome.py",
        '            return Outcome.ROLLED_BACK\n        if status == "committed":',
        '            return Outcome.COMMITTED\n        if status == "committed":',
        ("tests/test_commit_outcome.py",),
    ),
    Guard(
        "after a crash nobody is told that another's transaction is his",
        "dal/transaction/outcome.py",
        "return Outcome.COMMITTED if life == number.life else Outcome.UNKNOWN",
        "return Outcome.COMMITTED",
        ("tests/test_commit_outcome.py",),
    ),
    Guard(
        "a tenant ends with its transaction",
        "dal/transaction/options.py",
        'return f"SET LOCAL {parts}',
        'return f"SET {parts}',
        ("tests/test_row_level_security.py", "tests/test_transaction_options.py"),
    ),
    Guard(
        "a checkpoint is committed with its records",
        "dal/copy/parts.py",
        "                    await self.checkpoint.advance(session, last, self.ledger.inserted - before)\n",
        "                async with self.database.writing() as session:\n"
        "                    await self.checkpoint.advance(session, last, self.ledger.inserted - before)\n",
        ("tests/test_copy_resumed.py", "tests/test_copy_killed.py"),
    ),
    Guard(
        "a load that is gone on with counts on",
        "dal/copy/ledger.py",
        "self.last_record = self.committed = settled",
        "self.last_record = self.committed = 0",
        ("tests/test_copy_resumed.py",),
    ),
    Guard(
        "what one key has caused is nobody else's trouble",
        "dal/projection/coalescing.py",
        "ALONE if _is_of_one(error) else GoYourself(error)",
        "GoYourself(error)",
        ("tests/test_coalescing.py",),
    ),
    Guard(
        "a lock that somebody has is not given to another",
        "dal/locks/of_session.py",
        'if await _answer(driver, key, "pg_try_advisory_lock"):',
        'if await _answer(driver, key, "pg_try_advisory_lock") or tries >= 0:',
        ("tests/test_advisory_locks.py", "tests/test_migrations_locks.py"),
    ),
    Guard(
        "who waits for a lock does not wait in the server",
        "dal/locks/of_session.py",
        'if await _answer(driver, key, "pg_try_advisory_lock"):',
        'if not await _answer(driver, key, "pg_advisory_lock"):',
        ("tests/test_advisory_locks.py", "tests/test_migrations_locks.py"),
    ),
    Guard(
        "names in a transaction's options are quoted",
        "dal/transaction/options.py",
        """doubled = name.replace('"', '""')""",
        "doubled = name",
        ("tests/test_transaction_options.py",),
    ),
    Guard(
        "values in a transaction's options are quoted",
        "dal/transaction/options.py",
        """value.replace("\\\\", "\\\\\\\\").replace("'", "''")""",
        "value",
        ("tests/test_transaction_options.py",),
    ),
    Guard(
        "names of columns are quoted where records are merged",
        "dal/copy/suspects.py",
        """return '"' + name.replace('"', '""') + '"'""",
        """return '"' + name + '"'""",
        ("tests/test_copy_conflicts.py", "tests/test_copy_targets.py", "tests/test_copy_attacked.py"),
    ),
    Guard(
        "a pool is used in one process and loop",
        "dal/pool/place.py",
        "if self.is_left_behind or self.loop not in {None, loop}:",
        "if self.is_left_behind:",
        ("tests/test_pool_misused.py",),
    ),
)


def main() -> int:
    """Break what the arguments name, or all of it."""
    parser = argparse.ArgumentParser(description="Break guards, one at a time, and see whether the tests notice.")
    parser.add_argument("--only", help="those whose name has this in it; keeps no results")
    parser.add_argument("--chaos", type=float, help="for so many seconds, in the place of the tests; keeps no results")
    given = parser.parse_args()
    guards = [guard for guard in GUARDS if given.only is None or given.only in guard.name]
    caught = {}
    for guard in guards:
        caught[guard] = _caught_by(guard, given.chaos)
        sys.stdout.write(f"{guard.name}: {caught[guard] or 'NOT CAUGHT'}\n")
        sys.stdout.flush()
    if given.only is given.chaos is None:
        README.write_text(_TABLE.sub(lambda _: _rows(caught.items()), README.read_text()))
    sys.stdout.write(f"guards {len(caught)} caught {sum(map(bool, caught.values()))}\n")
    return 0 if all(caught.values()) else 1


def _caught_by(guard: Guard, chaos_s: float | None) -> str | None:
    """Name the test that fails when *guard* is broken, or what chaos finds."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        copy.mkdir()
        for name in _COPIED:
            _copy(ROOT / name, copy / name)
        file = copy / guard.file
        sound = file.read_text()
        if sound.count(guard.sound) != 1:
            raise SystemExit(f"{guard.file} has no such place any more: {guard.sound!r}")
        file.write_text(sound.replace(guard.sound, guard.broken))
        return _first_failure(copy, guard.tests) if chaos_s is None else _first_finding(copy, chaos_s)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "results"))
    else:
        shutil.copy(source, target)


def _first_failure(folder: Path, tests: Iterable[str]) -> str | None:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-n", "2", *tests]
    # The folder comes before the project itself, which is installed in place.
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    found = re.search(r"^(?:FAILED|ERROR) (tests/\S+?::.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    if done.returncode == 0 or found is None:
        return None
    return found[1]


def _first_finding(folder: Path, seconds: float) -> str | None:
    command = [sys.executable, "-m", "tests.faults.chaos", "--whole", "--seed", "1", "--seconds", str(seconds)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    found = re.search(r"^FINDING .*\n(.*)$", done.stdout, re.MULTILINE)
    return None if found is None else found[1]


def _rows(caught: Iterable[tuple[Guard, str | None]]) -> str:
    lines = ["| the guard | broken in | caught by |", "|---|---|---|"]
    for guard, test in caught:
        lines.append(f"| {guard.name} | `{guard.file}` | {f'`{test}`' if test else '**nothing**'} |")
    return "\n" + "\n".join(lines) + "\n\n"


if __name__ == "__main__":
    sys.exit(main())
