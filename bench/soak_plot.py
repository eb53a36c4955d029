"""One picture of a soak: memory, latency, throughput and statements over its minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.soak_watch import Watch

_COLOR: Final = "#1f5fbf"
_OTHER: Final = "#a8854f"


def plot(watch: Watch, period_s: float, warm_s: float, path: Path) -> None:
    """Draw *watch* into *path*; what was warm-up is shaded."""
    figure = Figure(figsize=(8, 7), layout="constrained")
    rss, p99, rate, statements = figure.subplots(4, 1, sharex=True)
    minutes = [each.at_s / 60 for each in watch.samples]
    rss.plot(minutes, [each.rss_mib for each in watch.samples], color=_COLOR)
    rss.set_ylabel("RSS, MiB")
    periods = [(number + 0.5) * period_s / 60 for number in range(len(watch.periods))]
    p99.plot(periods, [each.ms(0.99) for each in watch.periods], color=_COLOR, marker="o", label="p99")
    p99.plot(periods, [each.ms(0.5) for each in watch.periods], color=_OTHER, marker="o", label="p50")
    p99.set_ylabel("ms")
    p99.legend(frameon=False)
    pairs = zip(watch.samples, watch.samples[1:], strict=False)
    rate.plot(minutes[1:], [after.answered - before.answered for before, after in pairs], color=_COLOR, linewidth=0.7)
    rate.set_ylabel("requests/s")
    looks = [each.at_s / 60 for each in watch.looks]
    statements.plot(looks, [each.statements for each in watch.looks], color=_COLOR, marker=".", label="per connection")
    most = [max(each.caches.values()) for each in watch.looks]
    statements.plot(looks, most, color=_OTHER, marker=".", label="largest cache")
    statements.set_ylabel("statements, entries")
    statements.set_xlabel("minutes")
    statements.legend(frameon=False)
    for plane in (rss, p99, rate, statements):
        plane.set_ylim(bottom=0)
        plane.axvspan(0, warm_s / 60, color="#eeeeee")
        plane.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Mixed load at 70 % of capacity, never the same statements")
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": path.stem}):
        figure.savefig(path, metadata={"Date": None})
