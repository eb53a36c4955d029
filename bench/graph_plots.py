"""The plots of `bench.graph`: what a load takes, and how that grows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.plot import bars, lines
from bench.report import Report

PLOTTED: Final = {
    "tortoise": "Tortoise",
    "fastapi_pydantic": "FastAPI,\nselectinload",
    "advanced_alchemy": "advanced-\nalchemy",
    "selectinload": "selectinload",
    "selectinload_tuned": "selectinload,\ntune_gc()",
    "handwritten": "asyncpg\nby hand",
    "handwritten_tuned": "by hand,\ntune_gc()",
    "dal": "dal",
    "dal_tuned": "dal,\ntune_gc()",
}
TITLES: Final = {
    "graph": "{shape} orders, lines and deliveries",
    "json": "JSON of 1,000 orders of 10 lines",
    "collector": "1,000 orders of 10 lines, and Python's garbage collector",
    "network": "50 orders of 10 lines, 1 ms more for every answer",
}


def plot(report: Report, folder: Path) -> None:
    """Draw each part, from its fastest round to its slowest."""
    parts: dict[str, dict[str, list[float]]] = {}
    for name, seconds in report.rounds_s.items():
        part, contender = name.split()
        parts.setdefault(part, {})[contender] = [each * 1e3 for each in seconds]
    growth = {int(part.removeprefix("growth_")): parts.pop(part) for part in list(parts) if part.startswith("growth_")}
    for part, rounds in parts.items():
        kind, _, shape = part.partition("_")
        bars(
            folder / f"{report.name}_{part.removeprefix('graph_')}.svg",
            title=TITLES[kind].format(shape=shape),
            axis=f"ms (median, least and most of {len(rounds['dal'])}); less is better",
            measured={PLOTTED[name]: each for name, each in rounds.items()},
        )
    if growth:
        plot_growth(growth, folder / f"{report.name}_growth.svg")


def plot_growth(growth: dict[int, dict[str, list[float]]], path: Path) -> None:
    """Draw what one order takes, by how many there are."""
    names = list(growth[min(growth)])
    measured = {
        PLOTTED[name].replace("\n", " "): {
            float(orders): [each / orders * 1e3 for each in rounds[name]]
            for orders, rounds in growth.items()
            if name in rounds
        }
        for name in names
    }
    lines(path, title="Orders of 10 lines", axes=("orders", "µs for each order"), measured=measured)
