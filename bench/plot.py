"""Plots of results as SVG: the same figures always give the same file, so that a diff shows a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

# Lines are told apart by marker too; dal, the last, has the stronger color.
_STYLES: Final = [("#a8854f", "v"), ("#7a8899", "s"), ("#5d8a6b", "^"), ("#84aee6", "D"), ("#1f5fbf", "o")]

# Of a figure inside of its bar, and of one above it.
_INK: Final = ("white", "black")


def bars(path: Path, *, title: str, axis: str, measured: Mapping[str, Sequence[float]]) -> None:
    """Draw one bar per name: the median of what was *measured*, with whiskers from its least to its most."""
    middles = [median(values) for values in measured.values()]
    below = [middle - min(values) for middle, values in zip(middles, measured.values(), strict=True)]
    above = [max(values) - middle for middle, values in zip(middles, measured.values(), strict=True)]
    figure = Figure(figsize=(max(7, 1.2 * len(measured)), 4.2), layout="constrained")
    axes = figure.subplots()
    axes.bar(list(measured), middles, yerr=[below, above], capsize=8, width=0.5, color=_colors(len(measured)))
    for place, (middle, values) in enumerate(zip(middles, measured.values(), strict=True)):
        # At the foot of the bar, where no whisker reaches, or above one that is too low for it.
        low = middle < max(middles) * 0.1
        foot = max(middles) * 0.03
        axes.text(place, max(values) + foot if low else foot, f"{middle:,.0f}", ha="center", color=_INK[low])
    axes.set_title(title)
    axes.set_ylabel(axis)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def lines(
    path: Path, *, title: str, axes: tuple[str, str], measured: Mapping[str, Mapping[float, Sequence[float]]]
) -> None:
    """Draw one line per name through the medians of what was *measured* at each place, which doubles along the axis."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    plane = figure.subplots()
    for (name, points), (color, marker) in zip(measured.items(), _STYLES[-len(measured) :], strict=True):
        middles = [median(values) for values in points.values()]
        plane.plot(list(points), middles, label=name, color=color, marker=marker, markerfacecolor="none")
    places = sorted({place for points in measured.values() for place in points})
    plane.set_xscale("log", base=2)
    plane.set_xticks(places, [f"{place:g}" for place in places])
    plane.set_ylim(bottom=0)
    figure.suptitle(title)
    plane.set_xlabel(axes[0])
    plane.set_ylabel(axes[1])
    plane.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    _save(figure, path)


def _colors(count: int) -> list[str]:
    """Give dal, the last, the stronger color."""
    return [*["#7a8899"] * (count - 1), "#1f5fbf"]


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": path.stem}):
        figure.savefig(path, metadata={"Date": None})
