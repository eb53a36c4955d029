"""The plots of `bench.loading`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.plot import bars
from bench.report import Report

PLOTTED: Final = {
    "lazy": "lazy loads,\nAsyncSession",
    "selectinload": "selectinload",
    "selectinload_awaited": "selectinload,\nawaited",
    "dal_selectinload": "dal,\nselectinload",
    "dal_load": "dal.load",
    "dal_asyncattrs": "dal,\nAsyncAttrs",
    "dal": "dal",
    "dal_off": "dal,\nlazy='off'",
    "repository": "dal's repository,\nAsyncSession",
    "plain": "AsyncSession",
}
TITLES: Final = {
    "batch": "{shape} orders, lines and deliveries",
    "local": "{shape} orders and lines",
    "network": "{shape} orders and lines, 1 ms more for every answer",
    "read": "{shape} rows, nothing loaded lazily",
}


def plot(report: Report, folder: Path) -> None:
    """Draw each part, from its fastest round to its slowest."""
    parts: dict[str, dict[str, list[float]]] = {}
    for name, seconds in report.rounds_s.items():
        part, contender = name.split()
        parts.setdefault(part, {})[contender] = [each * 1e3 for each in seconds]
    for part, rounds in parts.items():
        kind, _, shape = part.partition("_")
        bars(
            folder / f"{report.name}_{part}.svg",
            title=TITLES[kind].format(shape=shape),
            axis=f"ms (median, least and most of {len(rounds['dal'])}); less is better",
            measured={PLOTTED[name]: each for name, each in rounds.items()},
        )
