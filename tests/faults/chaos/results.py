"""Figures of runs, kept by seed in `bench/results/chaos.json`, and a picture of how soon all is well again."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.plot import bars
from bench.report import RESULTS, machine_facts
from tests.faults.chaos.run import RECOVERY_S, Result


def keep(result: Result, seconds: float, folder: Path = RESULTS) -> None:
    """Put the run in the place of the last one with its seed, and draw all that are kept."""
    file = folder / "chaos.json"
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    facts = machine_facts(["sqlalchemy", "asyncpg"])
    runs = {**kept.get("runs", {}), str(result.seed): facts | _figures(result, seconds)}
    file.write_text(json.dumps({"name": "chaos", "runs": runs}, indent=2) + "\n")
    bars(
        folder / "chaos.svg",
        title=f"After a fault: until goodput is full again (at most {RECOVERY_S:.0f} s)",
        axis="milliseconds (median, least and most)",
        measured=_by_kind(runs),
    )


def _figures(result: Result, seconds: float) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "faults": sum(result.faults.values()),
        "faults_by_kind": dict(sorted(result.faults.items())),
        "volleys": len(result.volleys),
        "operations": dict(result.done.most_common()),
        "errors": dict(result.errors.most_common()),
        **asdict(result.tally),
        "leaked": result.leaked,
        "stuck": result.stuck,
        "undocumented_errors": result.undocumented,
        "findings": len(result.findings),
        "memory_mib": [round(each, 1) for each in result.memory_mib],
        "fds_least_and_most": [min(result.fds), max(result.fds)],
        "recoveries_ms": {kind: [round(s * 1000) for s in waits] for kind, waits in result.recoveries_s.items()},
    }


def _by_kind(runs: dict[str, Any]) -> dict[str, list[int]]:
    times: dict[str, list[int]] = {}
    for run in runs.values():
        for kind, waits in run["recoveries_ms"].items():
            times.setdefault(kind, []).extend(waits)
    often = Counter({kind: len(waits) for kind, waits in times.items()})
    return {kind: times[kind] for kind, _ in often.most_common()}
