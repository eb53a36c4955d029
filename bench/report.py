"""What every benchmark shares: rounds that alternate, medians, `ratio` lines, and the file of results.

Refuses: knowing what is measured.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from inspect import getdoc
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias, TypeVar

T = TypeVar("T")

RESULTS: Final = Path(__file__).with_name("results")

# Seconds of each round by contender, in the order they were run.
Rounds: TypeAlias = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the work. `run` does it once and gives the seconds that count."""

    name: str
    run: Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure and the target it is held against."""

    name: str
    value: float
    target: str


@dataclass(slots=True)
class Report:
    """What one benchmark found, printed as it comes and written as JSON at the end."""

    name: str
    facts: dict[str, Any]
    rounds_s: Rounds = field(default_factory=dict)
    ratios: list[Ratio] = field(default_factory=list)

    def ratio(self, name: str, value: float, target: str) -> None:
        """Print and keep one figure."""
        self.ratios.append(Ratio(name, round(value, 2), target))
        print(f"ratio {name} {value:.2f} (target {target})", flush=True)

    def beside(self, name: str, values: Mapping[str, float], digits: int = 2) -> None:
        """Print and keep one figure of all contenders, rounded to *digits* after the point."""
        if values:
            self.facts.setdefault("side_by_side", {})[name] = {key: round(each, digits) for key, each in values.items()}
            shown = "  ".join(f"{key} {each:,.{digits}f}" for key, each in values.items())
            print(f"{name}  {shown}", flush=True)

    def write(self, folder: Path) -> None:
        """Write `<name>.json` into *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        rounds = {name: [round(each, 4) for each in seconds] for name, seconds in self.rounds_s.items()}
        content = {**asdict(self), "rounds_s": rounds, "medians_s": medians(rounds)}
        (folder / f"{self.name}.json").write_text(json.dumps(content, indent=2) + "\n")


async def alternate(contenders: Sequence[Contender], rounds: int, *, every: int = 1) -> Rounds:
    """Run each contender once to warm it up, then all of them *rounds* times; print a line for *every* so many."""
    for contender in contenders:
        await contender.run()
    seconds: Rounds = {contender.name: [] for contender in contenders}
    for number, turn in enumerate(turns(contenders, rounds)):
        for contender in turn:
            seconds[contender.name].append(await contender.run())
        if number % every:
            continue
        shown = "  ".join(f"{name} {each[-1]:.3f} s" for name, each in seconds.items())
        print(f"round {number + 1}/{rounds}  {shown}", flush=True)
    return seconds


def turns(contenders: Sequence[T], rounds: int) -> Iterator[tuple[T, ...]]:
    """Give the order of each round.

    Each begins with another contender: what one leaves behind for the next does not always hit the same.
    """
    for number in range(rounds):
        first = number % len(contenders)
        yield (*contenders[first:], *contenders[:first])


def freeze_heap() -> None:
    """Leave what there is by now out of every garbage collection to come.

    What the round before left is not the next one's to clear away, and to look through what draws the plots stops the
    process for 80 ms, which no service's own heap would.
    """
    gc.collect()
    gc.freeze()


def medians(rounds: Rounds) -> dict[str, float]:
    return {name: median(seconds) for name, seconds in rounds.items()}


def what_it_does(method: Callable[..., object]) -> str:
    """Give the first line of a contender's docstring, for the results."""
    return (getdoc(method) or "").partition("\n")[0]


def machine_facts(packages: Sequence[str]) -> dict[str, Any]:
    """Name what the figures depend on, the versions of *packages* among it."""
    return {
        "cores": os.cpu_count(),
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {package: version(package) for package in packages},
        "dal_commit": _commit(),
    }


def _commit() -> str | None:
    """Give the checkout's commit, marked when tracked files differ from it; None where there is no git."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
