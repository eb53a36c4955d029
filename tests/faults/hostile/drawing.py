"""Inputs of bytes: the same bytes make the same input, whoever has made the bytes: a fuzzer, hypothesis, or a file.

Where the bytes end it gives zeros, so every sequence of bytes is an input. Refuses: chance of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.faults.hostile.words import WORDS

T = TypeVar("T")


class Draw:
    """Takes one choice after the other off *data*."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def under(self, limit: int) -> int:
        """Draw a number that is not negative and less than *limit*, which is at most 65,536."""
        size = 1 if limit <= 1 << 8 else 2
        return int.from_bytes(self.raw(size).ljust(size, b"\0"), "big") % limit

    def flag(self) -> bool:
        """Draw True or False."""
        return bool(self.under(2))

    def one_of(self, choices: Sequence[T]) -> T:
        """Draw one of *choices*."""
        return choices[self.under(len(choices))]

    def raw(self, size: int) -> bytes:
        """Draw *size* bytes, fewer at the end."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        """Draw all bytes that are left."""
        return self.raw(len(self._data))

    def text(self, words: Sequence[str] = WORDS) -> str:
        """Draw a text: one of *words*, two together, part of one, or characters, also half ones."""
        match self.under(8):
            case 0 | 1 | 2:
                return self.one_of(words)
            case 3:
                return self.one_of(words) + self.one_of(words)
            case 4:
                word = self.one_of(words)
                return word[: self.under(len(word) + 1)] if len(word) < 1 << 16 else word
            case 5:
                return self.one_of(words) * self.under(40)
            case _:
                return self.raw(self.under(48)).decode("utf-8", "surrogateescape")

    def texts(self, most: int, words: Sequence[str] = WORDS) -> list[str]:
        """Draw up to *most* texts."""
        return [self.text(words) for _ in range(self.under(most + 1))]

    def maybe(self, draw: Callable[[], T]) -> T | None:
        """Draw None, or what *draw* gives."""
        return draw() if self.flag() else None
