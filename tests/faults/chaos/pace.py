"""What share of the processor a service gets that it could use: others on the machine take it, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

# Nanoseconds on a processor, and waiting for one (Linux, "Scheduler Statistics").
_STATISTICS: Final = Path("/proc/thread-self/schedstat")


@dataclass(slots=True)
class Pace:
    """Looks at how long this thread has run, and waited to run, since it was made."""

    _began: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._began = _looked()

    @property
    def share(self) -> float:
        """The share of the time in which it could have run that it ran: 1 if nobody was in its way."""
        ran, waited = (now - then for now, then in zip(_looked(), self._began, strict=True))
        return ran / (ran + waited) if ran + waited else 1.0


def _looked() -> tuple[int, int]:
    try:
        ran, waited, _ = _STATISTICS.read_text().split()
    except OSError:  # not on Linux: nobody is in its way
        return 0, 0
    return int(ran), int(waited)
