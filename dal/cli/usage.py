"""What was typed cannot be done as it stands; nothing was opened or sent."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from dal.errors import DALError


class Usage(DALError):
    """A command line that makes no sense: exit code 2."""


def near(name: str, known: Iterable[str]) -> str:
    """Add what may have been meant, or nothing."""
    by_small = {each.lower(): each for each in known}
    found = [by_small[each] for each in difflib.get_close_matches(name.lower(), by_small, n=3)]
    return f" Did you mean {', '.join(map(repr, found))}?" if found else ""
