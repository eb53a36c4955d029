"""Which texts PostgreSQL can have: those of UTF-8, without a NUL. Pure."""

from __future__ import annotations

from typing import Final

# PostgreSQL cuts longer ones off.
LONGEST_NAME_BYTES: Final = 63


def is_sendable(text: str) -> bool:
    """Tell whether *text* arrives as it is: a NUL ends it on the wire, and half a surrogate pair is no UTF-8."""
    return "\0" not in text and _size(text) is not None


def is_name(text: str) -> bool:
    """Tell whether something can be called *text*."""
    return is_sendable(text) and 0 < (_size(text) or 0) <= LONGEST_NAME_BYTES


def _size(text: str) -> int | None:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None
