"""`python -m tests.faults.chaos --seconds 300 --seed 1`: the whole of it; exit status 1 if anything was found."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from typing import Final

import uvloop

from tests.faults.chaos.report import print_report, say_progress
from tests.faults.chaos.run import Result, run
from tests.faults.chaos.schedule import Volley, drawn, read, spelt
from tests.faults.chaos.shrinking import shrink

_TRIES: Final = 3
_SHRINKING_S: Final = 180.0


def main() -> int:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(description="Let faults loose on a busy service.")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--volley", action="append", help="as a run has printed it; in the place of drawn ones")
    parser.add_argument("--whole", action="store_true", help="look for no smaller run that finds the same")
    parser.add_argument("--uvloop", action="store_true", help="in uvloop's event loop")
    parser.add_argument("--keep", action="store_true", help="write the figures into bench/results")
    arguments = parser.parse_args()
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    volleys = [read(volley) for volley in arguments.volley] if arguments.volley else drawn(seed)
    result = run(
        seed,
        volleys,
        seconds=None if arguments.volley else arguments.seconds,
        loop=uvloop.new_event_loop if arguments.uvloop else None,
        progress=say_progress,
    )
    if result.findings and not (arguments.volley or arguments.whole):
        _print_small(result)
    print_report(result)
    if arguments.keep:
        from tests.faults.chaos.results import keep  # which draws

        keep(result, arguments.seconds)
    return 1 if result.findings else 0


def _print_small(result: Result) -> None:
    """Say which few volleys find something again."""
    last = max(0, result.findings[0][0])
    ends_at = time.monotonic() + _SHRINKING_S

    def fails(volleys: Sequence[Volley]) -> bool:
        return time.monotonic() < ends_at and any(run(result.seed, volleys).findings for _ in range(_TRIES))

    small = shrink([read(volley) for volley in result.volleys[: last + 1]], fails)
    sys.stdout.write("\n".join(["", "to see it again:", *(f"  --volley '{spelt(volley)}'" for volley in small), ""]))


if __name__ == "__main__":
    sys.exit(main())
