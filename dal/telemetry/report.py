"""A log as a table: what was sent from where, how often, and what it took.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from dal.telemetry.repeated import by_kind, rows_of, seconds
from dal.telemetry.statement import Statement

_HEAD: Final = ("count", "rows", "wait ms", "execute ms", "decode ms", "from", "statement")
_TEXT_SHOWN: Final = 100


def report(statements: Iterable[Statement]) -> str:
    """Draw a line for each kind of statement and each line of code that sent it, the costliest first."""
    sent = list(statements)
    if not sent:
        return "no statements"
    groups = sorted(by_kind(sent).values(), key=seconds, reverse=True)
    lines = [_HEAD, *map(_line, groups)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    table = "\n".join(_drawn(line, widths) for line in lines)
    return f"{len(sent)} statements of {len(groups)} kinds, {seconds(sent) * 1000:.2f} ms\n{table}"


def _line(group: Sequence[Statement]) -> tuple[str, ...]:
    text = group[0].fingerprint.text
    rows = rows_of(group)
    return (
        str(len(group)),
        "-" if rows is None else str(rows),
        _ms([each.wait_s for each in group]),
        _ms([each.execute_s for each in group]),
        _ms([each.decode_s for each in group]),
        str(group[0].call_site),
        text if len(text) <= _TEXT_SHOWN else f"{text[:_TEXT_SHOWN]}...",
    )


def _ms(times: Sequence[float | None]) -> str:
    known = [each for each in times if each is not None]
    return f"{sum(known) * 1000:.2f}" if known else "-"


def _drawn(line: Sequence[str], widths: Sequence[int]) -> str:
    *numbers, site, text = line
    columns = [each.rjust(width) for each, width in zip(numbers, widths, strict=False)]
    return "  ".join((*columns, site.ljust(widths[-2]), text))
