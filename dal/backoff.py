"""How long to wait before something is tried again.

Full jitter ("Exponential Backoff And Jitter", Brooker 2015): a random part of a bound that doubles, so that those who
failed together do not come back in step.
"""

from __future__ import annotations

import random
from typing import Final

# For connects: a restarted server takes some tenths of a second, and its first connections must not come much later.
_FIRST_S: Final = 0.05
_LONGEST_S: Final = 0.5


def backoff_s(
    failures: int, *, first_s: float = _FIRST_S, longest_s: float = _LONGEST_S, chance: float | None = None
) -> float:
    """Give the seconds to wait after so many *failures* in a row; *chance*, from 0 to 1, is random unless given."""
    bound = min(longest_s, first_s * 2.0 ** min(failures - 1, 32))
    return bound * (random.random() if chance is None else chance)  # noqa: S311 # spreads load, guards nothing
