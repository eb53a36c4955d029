"""`# dal: ignore[rule] reason`: at an operation, on any of its lines, or in the comment right above it.

Pure, but for the file it reads.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dal.migrations.lint.finding import Finding, Place
from dal.migrations.lint.rules import BAD_IGNORE, UNUSED_IGNORE

_IGNORE: Final = re.compile(r"#\s*dal:\s*ignore\b(?:\[(?P<rules>[^\]]*)\])?(?P<reason>.*)")


@dataclass(slots=True)
class _Ignore:
    place: Place
    rules: list[str]
    reason: str
    used: set[str] = field(default_factory=set)


class Ignores:
    """The comments of one revision's file."""

    def __init__(self, revision: str, file: Path) -> None:
        source = file.read_bytes()
        self._spans = _spans(ast.parse(source))
        comments = [each for each in tokenize.tokenize(io.BytesIO(source).readline) if each.type == tokenize.COMMENT]
        self._alone = {each.start[0] for each in comments if not each.line[: each.start[1]].strip()}
        self._ignores = [
            _Ignore(Place(revision, file, each.start[0]), _rules(said["rules"]), said["reason"].strip(" \t:-"))
            for each in comments
            if (said := _IGNORE.search(each.string))
        ]

    def ignore(self, finding: Finding) -> bool:
        """Tell whether a comment says to ignore *finding*."""
        lines = self._lines(finding.line)
        asked = [each for each in self._ignores if each.place.line in lines and finding.rule in each.rules]
        for each in asked:
            each.used.add(finding.rule)
        return bool(asked)

    def findings(self) -> Iterator[Finding]:
        """Find fault with the comments themselves, when all else was asked about."""
        for each in self._ignores:
            if not each.rules or not each.reason:
                yield each.place.finding(
                    BAD_IGNORE,
                    "An ignore says which rule, and why.",
                    help=f"# dal: ignore[{', '.join(each.rules) or 'rule'}] the reason",
                )
            for rule in each.rules:
                if rule not in each.used:
                    yield each.place.finding(
                        UNUSED_IGNORE, f"There is no {rule!r} here to ignore.", help="Take the comment out."
                    )

    def _lines(self, line: int) -> set[int]:
        """Give the lines of the innermost statement around *line*, and of the comments right above it."""
        first, last = next((span for span in self._spans if span[0] <= line <= span[1]), (line, line))
        above = first - 1
        while above in self._alone:
            above -= 1
        return set(range(above + 1, last + 1))


def _rules(listed: str | None) -> list[str]:
    return [each.strip() for each in (listed or "").split(",") if each.strip()]


def _spans(tree: ast.AST) -> list[tuple[int, int]]:
    """Give the first and last line of each statement, innermost first; of one with a body, see `_last`."""
    statements = [each for each in ast.walk(tree) if isinstance(each, ast.stmt)]
    return sorted(((each.lineno, _last(each)) for each in statements), key=lambda span: (span[1] - span[0], -span[0]))


def _last(statement: ast.stmt) -> int:
    """End a statement where its body begins, but a `with` with it: a batch sends all that it is told at its end."""
    body: Iterable[ast.stmt] = getattr(statement, "body", ())
    if isinstance(statement, ast.With | ast.AsyncWith):
        return statement.end_lineno or statement.lineno
    return next((max(statement.lineno, each.lineno - 1) for each in body), statement.end_lineno or statement.lineno)
