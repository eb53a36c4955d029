"""A warning of each N+1, for development."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from dal.telemetry.log import StatementLog

_log: Final = logging.getLogger("dal")


@contextmanager
def n_plus_one_logged(request: str = "", *, at_least: int = 3) -> Generator[StatementLog]:
    """Warn, after the block, of lines that have sent a statement *at_least* so many times, each for another row.

    Which line, how often, what it cost, and what to write instead. Put it around each request, which *request* names.
    """
    with StatementLog() as log:
        try:
            yield log
        finally:
            found = log.n_plus_one(at_least=at_least)
            if found:
                where = f" in {request}" if request else ""
                _log.warning("N+1%s, %s statements:\n%s", where, len(log), "\n".join(map(str, found)))
