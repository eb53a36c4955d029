"""How rejected records are written: as their source was, to be mended and loaded again by the same words.

Pure. Refuses: knowing files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from dal.copy.records import Broken
from dal.copy.text import Csv, Ndjson
from dal.copy.text.form import formats_of
from dal.errors import CopyError

_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
_JSON: Final = (".ndjson", ".jsonl")


class RejectForm(Protocol):
    """Writes records as bytes."""

    def begin(self) -> bytes:
        """Give what stands before the first record."""
        ...

    def record(self, broken: Broken) -> bytes:
        """Give a record."""
        ...


def form_of_rejects(path: Path, form: Csv | Ndjson | None, names: Sequence[str]) -> RejectForm:
    """Take the form of the source, if it was said and suits the file's name; raises `CopyError` for other names."""
    if path.suffix in _JSON:
        return _Json()
    if path.suffix not in _DELIMITERS:
        raise CopyError(f"rejected records are written to .csv, .tsv or .ndjson, not to {path.name!r}.")
    return _Delimited(form if isinstance(form, Csv) else Csv(delimiter=_DELIMITERS[path.suffix]), names)


class _Json:
    def begin(self) -> bytes:
        return b""

    def record(self, broken: Broken) -> bytes:
        if broken.fields is None:
            return _line(broken).encode("utf-8", "backslashreplace")
        return json.dumps(dict(broken.fields), ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


class _Delimited:
    """All fields are quoted but those that are NULL."""

    def __init__(self, form: Csv, names: Sequence[str]) -> None:
        self._form, self._names = form, names
        self._formats = formats_of(form.dates)

    def begin(self) -> bytes:
        return b"" if self._form.names is not None else self._encoded(map(self._field, self._names))

    def record(self, broken: Broken) -> bytes:
        if broken.fields is None:
            return _line(broken).encode(self._form.encoding, "backslashreplace")
        texts = {name: self._as_written(name, broken) for name in self._names}
        return self._encoded(map(self._field, texts.values()))

    def _encoded(self, fields: Iterable[str]) -> bytes:
        return f"{self._form.delimiter.join(fields)}\n".encode(self._form.encoding, "backslashreplace")

    def _field(self, text: str | None) -> str:
        if text is None:
            return next(iter(self._form.nulls), "")
        quote, escape = self._form.quote, self._form.escape or self._form.quote
        escaped = text if escape == quote else text.replace(escape, escape * 2)
        return f"{quote}{escaped.replace(quote, escape + quote)}{quote}"

    def _as_written(self, name: str, broken: Broken) -> str | None:
        """Give a field; a moment that the server has refused comes back as it writes it."""
        assert broken.fields is not None  # noqa: S101 # for who asks
        text = broken.fields.get(name)
        if text is not None and broken.sqlstate is not None and name in self._formats:
            return _by_formats(text, self._formats[name])
        return text


def _by_formats(text: str, formats: Sequence[str]) -> str:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text).replace(tzinfo=None)
        for each in formats:
            written = moment.strftime(each)
            if datetime.strptime(written, each).replace(tzinfo=None) == moment:  # noqa: DTZ007 # as the source has it
                return written
    return text


def _line(broken: Broken) -> str:
    return (broken.line or "").rstrip("\r\n") + "\n"
