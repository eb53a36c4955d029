"""What a run says at its end, on one screen."""

from __future__ import annotations

import statistics
import sys
from collections import Counter

from tests.faults.chaos.run import Result
from tests.faults.chaos.traffic import WINDOW_S


def say_progress(result: Result) -> None:
    """Say on one line how far it is."""
    if sys.stderr.isatty():
        sys.stderr.write(
            f"\r{len(result.volleys)} volleys, {sum(result.faults.values())} faults, {len(result.findings)} findings "
        )


def print_report(result: Result) -> None:
    """Print figures first by kind, then those that must be 0, then every finding with the volley that has led to it."""
    out = sys.stdout.write
    out(f"\nseed {result.seed}, calm traffic {statistics.median(result.calm) / WINDOW_S:.0f} operations per second\n")
    kinds: Counter[str] = Counter()
    for fault, count in result.faults.items():
        kinds[fault.split(" (")[0]] += count
    out(f"{'fault':<12} {'done':>5} {'recovered within s: median':>28} {'most':>6}\n")
    for kind, count in kinds.most_common():
        waits = result.recoveries_s[kind]
        out(f"{kind:<12} {count:>5} {statistics.median(waits):>28.2f} {max(waits):>6.2f}\n")
    out(f"operations {sum(result.done.values())}: {dict(result.done.most_common())}\n")
    out(f"errors {dict(result.errors.most_common())}\n")
    out(f"memory_mib {list(map(round, result.memory_mib))}\n")
    out(f"fds {min(result.fds)} to {max(result.fds)}\n")
    for number, words in result.findings:
        volley = result.volleys[number] if number >= 0 else "none"
        out(f"FINDING after volley {number} ({volley}):\n{words}\n")
    tally = result.tally
    out(f"faults {sum(kinds.values())}\n")
    out(f"acknowledged {tally.acknowledged} lost {tally.lost} doubled {tally.doubled}\n")
    out(f"ghosts {tally.ghosts} torn {tally.torn} unknown {tally.unknown}\n")
    out(f"leaked {result.leaked}\nstuck {result.stuck}\nundocumented_errors {result.undocumented}\n")
    out(f"findings {len(result.findings)}\n")
