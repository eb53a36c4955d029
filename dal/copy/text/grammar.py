"""Where records end in the bytes of a delimited file: guessed at the speed of memory, or found exactly.

Pure. Refuses: giving fields, which is pyarrow's work.
"""

from __future__ import annotations

import re

from dal.copy.text.form import Csv


class Grammar:
    """What a record of a form is, as pyarrow reads it; but for its escape, which is COPY's."""

    def __init__(self, form: Csv) -> None:
        escape = form.quote if form.escape is None else form.escape
        quote, rest = re.escape(form.quote), f"[^{re.escape(form.delimiter)}\\r\\n]*+"
        within = _within(quote, re.escape(escape))
        one = f"(?:{quote}{within}{quote}|(?!{quote})){rest}"
        self._quote = form.quote.encode()
        self._escape = None if escape == form.quote else escape.encode()
        self._record = _compiled(f"{one}(?:{re.escape(form.delimiter)}{one})*+(?:\\r\\n|\\n|\\r)")
        self._field = _compiled(f"{quote}({within}){quote}({rest})|{rest}")
        self._escaped = _compiled(f"{re.escape(escape)}([{quote}{re.escape(escape)}])")

    def record_end(self, data: bytes, start: int = 0) -> int | None:
        """Find the end of the record at *start*; None if it is not complete."""
        end = self._end(data, start)
        # A carriage return that nothing follows may be half of a line's end.
        return None if end == len(data) and data.endswith(b"\r") else end

    def exact_end(self, data: bytes) -> int:
        """Find the end of the last record that is complete; 0 if none is. About 50 times slower than the guess."""
        end = 0
        while (record_end := self.record_end(data, end)) is not None:
            end = record_end
        return end

    def likely_end(self, data: bytes) -> int:
        """Guess the end of the last complete record: a line's end with an even number of quotes behind it.

        Wrong where quotes stand for themselves, which the parser finds out; 0 if there is none.
        """
        if self._escape is not None:
            return self.exact_end(data)
        is_odd, behind = data.count(self._quote) % 2 == 1, len(data)
        end = _line_end(data, behind)
        while end:
            is_odd ^= data.count(self._quote, end, behind) % 2 == 1
            if not is_odd:
                return end
            behind, end = end, _line_end(data, end - 1)
        return 0

    def is_plain(self, block: bytes) -> bool:
        """Tell whether quotes are doubled in *block*, as pyarrow needs them, or there are none to double."""
        return self._escape is None or not (self._escape in block or self._quote * 2 in block)

    def plain(self, record: bytes) -> bytes:
        """Double the quotes of *record*, where it has another escape."""
        return record if self._escape is None else self._field.sub(self._doubled, record)

    def records(self, block: bytes) -> list[bytes]:
        """Cut *block*, which is all there is of them, into its records that are complete."""
        records, end = list[bytes](), 0
        while (record_end := self._end(block, end)) is not None:
            records.append(block[end:record_end])
            end = record_end
        return records

    def _end(self, data: bytes, start: int) -> int | None:
        match = self._record.match(data, start)
        return match and match.end()

    def _doubled(self, field: re.Match[bytes]) -> bytes:
        if field[1] is None:
            return field[0]
        # What follows a closing quote stands for itself, so it is put within.
        text = self._escaped.sub(rb"\1", field[1]) + field[2]
        return self._quote + text.replace(self._quote, self._quote * 2) + self._quote


def _within(quote: str, escape: str) -> str:
    """Write the pattern of what is between two quotes; possessive, so that it is passed once."""
    if quote == escape:
        return f"[^{quote}]*+(?:{quote}{quote}[^{quote}]*+)*+"
    # The escape stands for itself before all others.
    return f"[^{quote}{escape}]*+(?:{escape}[{quote}{escape}]?+[^{quote}{escape}]*+)*+"


def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode("ascii"))


def _line_end(data: bytes, before: int) -> int:
    r"""Find where the next line begins, before *before*; a `\r` that is the last byte may be half of a line's end."""
    newline = data.rfind(b"\n", 0, before) + 1
    # Files of which the lines end with `\r` alone are old, but pyarrow has them.
    alone = data.rfind(b"\r", newline, min(before, len(data) - 1)) + 1
    return alone or newline
