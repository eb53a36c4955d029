"""squawk's judgement of all statements, by one process. Needs the extra `lint`.

One file for each transaction, or for each autocommit block: that is what squawk takes for what is run together.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from dal.errors import MigrationError, extra_needed
from dal.migrations.lint.finding import Statement
from dal.migrations.lint.options import Options
from dal.migrations.lint.rules import OURS

_FOUND: Final = (0, 1)
_NOT_INHERITED: Final = ("PG", "DAL_")  # where a database is, and its password, is nothing to squawk
_NOT_IN_TRANSACTION: Final = "-- squawk-disable-assume-in-transaction"
# In a transaction no statement is alone, for Alembic writes its version there; one that is, squawk takes for in none.
_IN_TRANSACTION: Final = "SELECT 1;"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a statement breaks."""

    statement: Statement
    rule: str
    message: str
    help: str
    part: str
    """What of the statement it is about."""
    where: tuple[str, int]
    """Where it was in what squawk read."""


def violations(statements: Iterable[Statement], options: Options) -> list[Violation]:
    """Let squawk judge *statements*, but not those that an operation of dal sends.

    One process and one temporary folder for any number of them. Raises `MissingExtra`, and `MigrationError` for a rule
    or a version that squawk does not know.
    """
    texts = [_Text(list(block)) for _, block in groupby((s for s in statements if not s.by_dal), key=lambda s: s.block)]
    if not texts:
        return []
    with TemporaryDirectory(prefix="dal-lint-") as folder:
        for number, text in enumerate(texts):
            Path(folder, f"{number}.sql").write_text(text.sql, encoding="utf-8", newline="\n")
        found = _run(Path(folder), options)
    return [texts[int(Path(each["file"]).stem)].violation(each) for each in found]


class _Text:
    """Statements that are run together, each on lines of its own."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._by_line: list[Statement] = []
        self.lines: list[str] = []
        self._add(_IN_TRANSACTION if statements[0].in_transaction else _NOT_IN_TRANSACTION, statements[0])
        for each in statements:
            # squawk's own words in comments would ignore without a reason, and even a whole file.
            self._add(each.sql.replace("squawk-", "squawk_"), each)
        self.sql = "\n".join(self.lines) + "\n"

    def violation(self, found: dict[str, Any]) -> Violation:
        statement = self._by_line[found["line"]]
        where = (found["file"], found["line"])
        return Violation(statement, found["rule_name"], found["message"], found["help"] or "", self._part(found), where)

    def _add(self, sql: str, statement: Statement) -> None:
        lines = [*sql.replace("\r\n", "\n").split("\n"), ";"]  # its own may be in a comment at its end
        self.lines += lines
        self._by_line += [statement] * len(lines)

    def _part(self, found: dict[str, Any]) -> str:
        """Cut it out: squawk counts columns in bytes."""
        lines = [line.encode() for line in self.lines[found["line"] : found["line_end"] + 1]]
        lines[-1] = lines[-1][: found["column_end"]]
        lines[0] = lines[0][found["column"] :]
        return b"\n".join(lines).decode(errors="replace")


def _run(folder: Path, options: Options) -> list[dict[str, Any]]:
    """Run squawk in *folder*, with an empty configuration: what a team wants is said in alembic.ini."""
    Path(folder, "squawk.toml").touch()
    switched = [f"--exclude={each}" for each in sorted(options.exclude - OURS)]
    switched += [f"--include={each}" for each in sorted(options.include)]
    told = ["--config=squawk.toml", "--reporter=json", "--assume-in-transaction", f"--pg-version={options.pg_version}"]
    done = subprocess.run(
        [_binary(), *told, *switched, "*.sql"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode not in _FOUND:
        said = next((line for line in done.stderr.splitlines() if line.strip()), f"exit code {done.returncode}")
        raise MigrationError(
            f"squawk refused: {said.removeprefix('error: ')}. "
            "Look at the section [dal] of alembic.ini and at --pg-version."
        )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _binary() -> Path:
    """Find the program that this environment installed; another one on the path may know other rules."""
    with extra_needed("lint"):
        files = distribution("squawk-cli").files or []
    return next((Path(str(each.locate())).resolve() for each in files if each.stem == "squawk"), Path("squawk"))
