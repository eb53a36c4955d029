"""How long to wait before a connect is tried again.

Full jitter ("Exponential Backoff And Jitter", Brooker 2015): a random part of a bound that doubles, so that the
processes of a service do not come back to a restarted server in step.
"""

from __future__ import annotations

import random
from typing import Final

# A restarted server takes some tenths of a second: its first connections must not come much later.
_FIRST_S: Final = 0.05
_LONGEST_S: Final = 0.5


def backoff_s(failures: int, chance: float | None = None) -> float:
    """Give the seconds to wait after so many *failures* in a row; *chance*, from 0 to 1, is random unless given."""
    bound = min(_LONGEST_S, _FIRST_S * 2.0 ** min(failures - 1, 16))
    return bound * (random.random() if chance is None else chance)  # noqa: S311 # spreads load, guards nothing
