"""How a delimited file is written: delimiter, quotes, names, NULLs, encoding; in the words of PostgreSQL's COPY.

Refuses: reading files, and values that COPY would refuse.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dal.errors import CopyError


@dataclass(frozen=True, slots=True)
class Csv:
    r"""A CSV file; a TSV is `Csv(delimiter="\t")`.

    `escape` is what stands before a quote within quotes: the quote itself unless told; another one is read in twice the
    time. `header` is True if the first line has the names, or the names if there is no such line. `null` are
    the unquoted texts that are NULL. `encoding` is any of Python's; a byte-order mark is dropped. `dates` has the
    formats, of `strptime`, of columns whose texts PostgreSQL would not read as a date or timestamp.

    A quote stands for itself within a field that does not begin with one, and behind a closing one, where COPY would
    begin to quote. An empty line is no record and is not counted, except in a file of one column, where it is a NULL.
    Raises `CopyError` for values that make no such file.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    header: bool | Sequence[str] = True
    null: str | Sequence[str] = ""
    encoding: str = "utf-8"
    dates: Mapping[str, str | Sequence[str]] = field(default_factory=dict[str, str | Sequence[str]])

    def __post_init__(self) -> None:
        self._check_characters()
        self._check_header()
        self._check_nulls()
        if not _decodes(self.encoding):
            raise CopyError(f"{self.encoding!r} is no text encoding that Python knows: give one such as 'cp1252'.")
        formats_of(self.dates)

    @property
    def names(self) -> tuple[str, ...] | None:
        """The columns' names, or None if the file has them."""
        return None if isinstance(self.header, bool) else tuple(self.header)

    @property
    def nulls(self) -> tuple[str, ...]:
        """The texts that are NULL."""
        return _texts("null", self.null)

    def _check_characters(self) -> None:
        escape = self.quote if self.escape is None else self.escape
        for name, character in {"delimiter": self.delimiter, "quote": self.quote, "escape": escape}.items():
            if not _is_character(character):
                raise CopyError(f"{name} is {character!r}: give one ASCII character that ends no line.")
        if self.delimiter in (self.quote, escape):
            raise CopyError(f"the delimiter {self.delimiter!r} is the quote or the escape, too: give another one.")

    def _check_header(self) -> None:
        if self.header is not True and (isinstance(self.header, str) or not _is_sequence(self.header)):
            raise CopyError(
                f"header is {self.header!r}: give True if the first line has the names, or a list of names."
            )
        if self.names is None:
            return
        if not self.names or not all(_is_text(name) for name in self.names):
            raise CopyError("header has no names, or some that are no text: give a name for each column.")
        check_names(self.names, "header")

    def _check_nulls(self) -> None:
        for null in self.nulls:
            for character, what in {
                self.delimiter: "the delimiter",
                self.quote: "the quote",
                "\r": "\\r",
                "\n": "\\n",
            }.items():
                if character in null:
                    raise CopyError(f"null has {what} in {null!r}, where no unquoted field can: give another text.")


def check_names(names: Sequence[str], where: str) -> None:
    """Raise `CopyError` if *names* has one twice."""
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise CopyError(f"{where} names {', '.join(map(repr, twice))} more than once: give each column its own name.")


def formats_of(dates: Mapping[str, str | Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Give the formats of each column of *dates*; raises `CopyError` where there is none."""
    if not _is_mapping(dates):
        raise CopyError(f"dates is {dates!r}: give the formats of each column by its name.")
    formats = {name: _texts(f"dates[{name!r}]", given) for name, given in dates.items()}
    if not all(map(_is_text, formats)):
        raise CopyError("dates has a name that is no text: give the formats of each column by its name.")
    for name, given in formats.items():
        if not given or not all(given):
            raise CopyError(f"dates has no format for {name!r}: give one of strptime, such as '%d.%m.%Y'.")
    return formats


def check_dates(dates: Iterable[str], names: Sequence[str], where: str) -> None:
    """Raise `CopyError` for a column of *dates* that is none of *names*, those of *where*."""
    unknown = ", ".join(repr(name) for name in dates if name not in names)
    if unknown:
        raise CopyError(f"dates has {unknown}, of which {where} has no column; it has {', '.join(map(repr, names))}.")


def _texts(what: str, given: str | Sequence[str]) -> tuple[str, ...]:
    texts = (given,) if isinstance(given, str) else given
    if not _is_sequence(texts) or not all(_is_text(text) for text in texts):
        raise CopyError(f"{what} is {given!r}: give a text or several.")
    return tuple(texts)


def _is_sequence(value: object) -> bool:
    return isinstance(value, Sequence)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_text(value: object) -> bool:
    """Tell a text from other values, and from one with half of a surrogate pair, which no file can have."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_character(value: object) -> bool:
    return isinstance(value, str) and len(value) == 1 and value.isascii() and value not in "\r\n\0"


def _decodes(encoding: str) -> bool:
    try:
        "".encode(encoding)  # tells texts' encodings from the other codecs, such as base64
        codecs.getincrementaldecoder(encoding)().decode(b"", final=True)
    except (LookupError, UnicodeError, TypeError, ValueError):
        return False
    return True
