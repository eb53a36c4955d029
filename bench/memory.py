"""Resident memory of a load, measured in a process that does nothing else."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

_CHECKOUT: Final = Path(__file__).parents[1]
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Resident:
    """MiB before the work, and the most that there ever were."""

    start_mib: float
    peak_mib: float


async def print_resident(work: Awaitable[object]) -> None:
    """Do *work* and print what it took, for `resident_of` to read."""
    start = _resident_mib("VmRSS")
    await work
    print(json.dumps(asdict(Resident(start, _resident_mib("VmHWM")))))


def resident_of(module: str, *arguments: str) -> Resident:
    """Run *module* in a fresh process, which is to call `print_resident`."""
    command: Sequence[str] = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=_CHECKOUT, stdout=subprocess.PIPE, text=True, check=True)
    return Resident(**json.loads(done.stdout))


def _resident_mib(field: Literal["VmRSS", "VmHWM"]) -> float:
    """Give the memory now or its peak; where there is no /proc, the peak for either."""
    if _STATUS.exists():
        # Not ru_maxrss here: Linux begins it at the size of the parent that forked this process.
        found = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
        return int(found.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
