"""Text for a terminal, by the standard library alone."""

from __future__ import annotations


def printable(text: str) -> str:
    """Spell out what is no character to print: nothing may steer a terminal, or make two lines of one."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
