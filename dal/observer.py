"""Who is told, while it runs, what a database does: measurements of the pool, attempts of `Database.run`.

Refuses: deciding anything by it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a function in a unit of work of its own.

    `error` is what it ended with, None if it was committed; `pause_s` is how long it waits before the next one, None if
    there is none.
    """

    function: str
    number: int
    elapsed_s: float
    error: BaseException | None = None
    pause_s: float | None = None


class Observer:
    """Hears what a database does; a subclass listens to what it likes. Must be quick; what it raises is logged."""

    def record(self, metric: str, value: float) -> None:
        """Take one measurement of the pool by OpenTelemetry's name: seconds, or 1 for something that is counted.

        `db.client.connection.count` and `.pending_requests` are gauges: read them from `PoolStatus` when asked.
        """

    def attempted(self, attempt: Attempt) -> None:
        """Take one attempt of `Database.run`, at its end."""
